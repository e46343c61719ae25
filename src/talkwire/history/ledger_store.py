"""The SQL of the ledger of erasures, in the key store."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from talkwire.backends.database.port import Row, Transaction
from talkwire.history.erasure_model import LedgerEntry

Read = Callable[..., Awaitable[Sequence[Row]]]


async def insert_entry(tx: Transaction, entry: LedgerEntry) -> None:
    await tx.execute(
        "INSERT INTO erasure_ledger (account_id, entry_id, at, entry) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        entry.account_id,
        entry.entry_id,
        entry.at_ms,
        msgspec.json.encode(entry).decode(),
    )


async def list_entries(read: Read) -> list[LedgerEntry]:
    """Of all accounts: a node carries out all of them."""
    rows = await read("SELECT account_id, entry FROM erasure_ledger ORDER BY at, entry_id")
    return [msgspec.json.decode(row["entry"], type=LedgerEntry) for row in rows]
