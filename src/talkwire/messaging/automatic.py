"""Use cases of automatic messages: the list that an account declares."""

from collections.abc import Callable, Sequence

from talkwire.accounts.cache import Cache
from talkwire.accounts.model import ANY_REVISION
from talkwire.accounts.store import find_revision, next_revision
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId
from talkwire.messaging import automatic_store as store
from talkwire.messaging.automatic_rules import AutomaticMessage, checked

MESSAGES_COLLECTION = "automatic-messages"
Messages = tuple[AutomaticMessage, ...]
Change = Callable[[Messages], Sequence[AutomaticMessage]]
"""Makes the next list of the one that stands."""


class AutomaticMessages:
    """What every account declares. Reads come from memory; writes are durable, then seen at once."""

    def __init__(self, database: Database, clock: Clock, acts: Acts | None = None) -> None:
        self._database = database
        self._acts = acts or Unrecorded(database)
        self._held: Cache[AccountId, Messages] = Cache(clock, self._load)

    async def list_messages(self, account_id: AccountId) -> tuple[Messages, int]:
        """The messages in their order, and the collection's revision."""
        messages = await store.list_messages(self._database, account_id)
        return messages, await find_revision(self._database, account_id, MESSAGES_COLLECTION)

    async def declared(self, account_id: AccountId) -> Messages:
        """The same from memory."""
        return await self._held.find(account_id) or ()

    async def replace(
        self, account_id: AccountId, messages: Sequence[AutomaticMessage], if_match: int = ANY_REVISION
    ) -> tuple[Messages, int]:
        """Put this list in place of the one that stands. Raises AutomaticMessageInvalid, RevisionStale."""
        return await self.change(account_id, lambda _: messages, if_match)

    async def change(
        self, account_id: AccountId, change: Change, if_match: int = ANY_REVISION
    ) -> tuple[Messages, int]:
        """Make the next list of the one that stands; gives it with its revision.

        Raises AutomaticMessageInvalid, RevisionStale, and what `change` raises.
        """

        async def unit(tx: Transaction) -> tuple[Messages, int]:
            revision = await next_revision(tx, account_id, MESSAGES_COLLECTION, if_match)
            messages = checked(change(await store.list_messages_in(tx, account_id)))
            await store.replace_messages(tx, account_id, messages)
            return messages, revision

        entry = Entry(account_id, Act.SETTING_CHANGED, "automatic messages")
        return await self._acts.do(unit, entry, then=lambda _: self._held.drop(account_id))

    async def _load(self, account_id: AccountId) -> Messages:
        return await store.list_messages(self._database, account_id)
