"""What brands declare as one ordered list: read whole, and written whole under one revision."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from talkwire.accounts.cache import Cache
from talkwire.accounts.model import ANY_REVISION
from talkwire.accounts.ordered_list_store import Named, OrderedListStore
from talkwire.accounts.store import find_revision, next_revision
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId

Item = TypeVar("Item", bound=Named)
Change = Callable[[tuple[Item, ...]], Sequence[Item]]
"""Makes the next list of the one that stands."""

Check = Callable[[Transaction, AccountId, Sequence[Item]], Awaitable[tuple[Item, ...]]]
"""Gives the items as they are kept, or raises a refusal. Part of a unit: awaits nothing but the transaction."""


@dataclass(frozen=True)
class ListKind(Generic[Item]):
    """What a list is of."""

    words: str  # what the record of what was done calls its items, in the plural
    item: type[Item]
    check: Check[Item]

    @property
    def collection(self) -> str:
        """Whose revision a write counts."""
        return self.words.replace(" ", "-")

    @property
    def table(self) -> str:
        return self.words.replace(" ", "_")


class OrderedList(Generic[Item]):
    """The lists of every account. Reads may come from memory; writes are durable, then seen at once."""

    def __init__(
        self, kind: ListKind[Item], database: Database, clock: Clock, acts: Acts | None = None
    ) -> None:
        self.kind = kind
        self._database = database
        self._acts = acts or Unrecorded(database)
        self._store = OrderedListStore(kind.table, kind.item)
        self._held: Cache[AccountId, tuple[Item, ...]] = Cache(clock, self._load)

    async def list_items(self, account_id: AccountId) -> tuple[tuple[Item, ...], int]:
        """The items in their order, and the list's revision."""
        items = await self._load(account_id)
        return items, await find_revision(self._database, account_id, self.kind.collection)

    async def declared(self, account_id: AccountId) -> tuple[Item, ...]:
        """The items from memory."""
        return await self._held.find(account_id) or ()

    async def replace(
        self, account_id: AccountId, items: Sequence[Item], if_match: int = ANY_REVISION
    ) -> tuple[tuple[Item, ...], int]:
        """Put this list in place of the one that stands. Raises as `change` does."""
        return await self.change(account_id, lambda _: items, if_match)

    async def change(
        self, account_id: AccountId, change: Change[Item], if_match: int = ANY_REVISION
    ) -> tuple[tuple[Item, ...], int]:
        """Make the next list of the one that stands; gives it with its revision.

        Raises RevisionStale, what the list's check raises, and what `change` raises.
        """

        async def unit(tx: Transaction) -> tuple[tuple[Item, ...], int]:
            revision = await next_revision(tx, account_id, self.kind.collection, if_match)
            wanted = change(await self._store.list_items_in(tx, account_id))
            items = await self.kind.check(tx, account_id, wanted)
            await self._store.replace(tx, account_id, items)
            return items, revision

        entry = Entry(account_id, Act.SETTING_CHANGED, self.kind.words)
        return await self._acts.do(unit, entry, then=lambda _: self._held.drop(account_id))

    async def _load(self, account_id: AccountId) -> tuple[Item, ...]:
        return await self._store.list_items(self._database, account_id)
