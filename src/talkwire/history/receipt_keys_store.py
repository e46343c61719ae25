"""The SQL of the keys that sign receipts: in the key store; in the data only what earlier versions left there."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.kernel.ids import AccountId

Read = Callable[..., Awaitable[Sequence[Row]]]

_KEY = "account_id, key_id, public_key, sealed, created_at"


class ReceiptKey(NamedTuple):
    """A key that signs receipts: `sealed` opens in the vault alone."""

    account_id: AccountId
    key_id: str
    public_key: str  # hex
    sealed: bytes
    created_at_ms: int


async def insert_key(tx: Transaction, key: ReceiptKey) -> None:
    """Enter a key; one that is there stays."""
    await tx.execute(
        f"INSERT INTO receipt_keys ({_KEY}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        *key,
    )


async def list_keys(read: Read, account_id: AccountId) -> list[ReceiptKey]:
    """Newest first: that one signs, the others still verify."""
    rows = await read(
        f"SELECT {_KEY} FROM receipt_keys WHERE account_id = $1 ORDER BY created_at DESC, key_id", account_id
    )
    return [_key(row) for row in rows]


async def list_in_data(database: Database) -> list[ReceiptKey]:
    """What earlier versions kept in the data, of all accounts: a node takes over all of them."""
    return [_key(row) for row in await database.read(f"SELECT {_KEY} FROM receipt_keys")]


def _key(row: Row) -> ReceiptKey:
    account_id = AccountId(row["account_id"])
    return ReceiptKey(account_id, row["key_id"], row["public_key"], bytes(row["sealed"]), row["created_at"])
