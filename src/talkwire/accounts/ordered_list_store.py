"""The SQL of ordered lists: one row per item, in their order. The table is one of ours, never a value."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.ids import AccountId


class Named(Protocol):
    """An item: its name is its own within its list."""

    @property
    def name(self) -> str: ...


Item = TypeVar("Item", bound=Named)
_encode = msgspec.json.Encoder().encode


class OrderedListStore(Generic[Item]):
    """A table with the columns `account_id`, `position`, `name` and `record`."""

    def __init__(self, table: str, item: type[Item]) -> None:
        self._decode = msgspec.json.Decoder(item).decode
        self._select = f"SELECT record FROM {table} WHERE account_id = $1 ORDER BY position"
        self._delete = f"DELETE FROM {table} WHERE account_id = $1"
        self._insert = f"INSERT INTO {table} (account_id, position, name, record) VALUES ($1, $2, $3, $4)"

    async def list_items(self, database: Database, account_id: AccountId) -> tuple[Item, ...]:
        return tuple(self._decode(row["record"]) for row in await database.read(self._select, account_id))

    async def list_items_in(self, tx: Transaction, account_id: AccountId) -> tuple[Item, ...]:
        return tuple(self._decode(row["record"]) for row in await tx.fetch(self._select, account_id))

    async def replace(self, tx: Transaction, account_id: AccountId, items: Sequence[Item]) -> None:
        await tx.execute(self._delete, account_id)
        if items:
            rows = [(account_id, n, item.name, _encode(item).decode()) for n, item in enumerate(items, 1)]
            await tx.execute_many(self._insert, rows)
