"""Use cases of conversations: open, look, change, list."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.conversations import rules, store
from talkwire.conversations.errors import ConversationNotFound, KeyReused
from talkwire.conversations.listing_store import list_ids
from talkwire.conversations.loading import Hydrate, Loader
from talkwire.conversations.model import Conversation, ConversationQuery, NewConversation
from talkwire.conversations.views import DialogLog, View, Views
from talkwire.conversations.visibility import matches, may_see
from talkwire.identity.model import Principal, Privilege
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId, new_uuid

Decide = Callable[[Conversation, Transaction], Awaitable[Conversation]]
"""Judges a locked conversation and gives the next one (the same object: no change); awaits only `tx`.

May be called again from its start, when the database asks for it.
"""

ChangeListener = Callable[[Conversation], None]

AtOpening = Callable[[Transaction, Conversation], Awaitable[None]]
"""What another room writes down with every conversation that is opened; awaits only `tx`."""

Along = Callable[[Transaction], Awaitable[None]]
"""What happens in the same unit of work as an opening, or not at all; awaits only `tx`."""

_log = logging.getLogger(__name__)

OfferedTo = Callable[[AccountId, ConversationId, ParticipantId], bool]


class _Settled(NamedTuple):
    conversation: Conversation
    is_new: bool


def _nobody(account_id: AccountId, conversation_id: ConversationId, agent_id: ParticipantId) -> bool:
    return False


def _no_event(row: Row) -> None:
    return None


class Conversations:
    """The door to every conversation.

    `offered_to` is routing's word on who holds a waiting ring; routing puts it in place. `at_opening` is done in
    the unit that opens a conversation; automatic messages put it in place.
    `hydrate` makes of a row of the log what views keep as the last content.
    """

    def __init__(self, database: Database, clock: Clock, views: Views, hydrate: Hydrate = _no_event) -> None:
        self.views = views
        self.offered_to: OfferedTo = _nobody
        self.at_opening: AtOpening | None = None
        self._database = database
        self._clock = clock
        self._loader = Loader(database, views, hydrate)
        self._listeners: list[ChangeListener] = []

    def on_change(self, listener: ChangeListener) -> None:
        """Call `listener` after each commit of a new or changed record, in commit order, on the loop."""
        self._listeners.append(listener)

    async def view(self, account_id: AccountId, conversation_id: str) -> View:
        """The conversation as it stands; read when it is not in memory. Raises ConversationNotFound."""
        wanted = ConversationId(conversation_id)
        return self.views.find(account_id, wanted) or await self._loader.load(account_id, wanted)

    async def views_of(self, account_id: AccountId, conversation_ids: Sequence[ConversationId]) -> list[View]:
        """Those that exist, read together when they are not in memory."""
        return await self._loader.load_many(account_id, conversation_ids)

    async def view_of_dialog(self, account_id: AccountId, dialog_id: str) -> View:
        """The conversation that a dialog belongs to. Raises ConversationNotFound."""
        view = self.views.find_by_dialog(account_id, dialog_id)
        if view is not None:
            return view
        conversation_id = await store.conversation_of_dialog(self._database, account_id, dialog_id)
        if conversation_id is None:
            raise ConversationNotFound
        return await self.view(account_id, conversation_id)

    async def get_for(self, who: Principal, conversation_id: str) -> View:
        """What `who` may see of it. Raises ConversationNotFound: absent and forbidden look alike."""
        view = await self.view(who.account_id, conversation_id)
        if not self.may_see(who, view.conversation):
            raise ConversationNotFound
        return view

    async def get_of_dialog_for(self, who: Principal, dialog_id: str) -> View:
        """The same by one of its dialogs. Raises ConversationNotFound."""
        view = await self.view_of_dialog(who.account_id, dialog_id)
        if not self.may_see(who, view.conversation):
            raise ConversationNotFound
        return view

    def may_see(self, who: Principal, conversation: Conversation) -> bool:
        """Whether `who` may know of it, rings counted."""
        is_offered = self.offered_to(who.account_id, conversation.conversation_id, who.id)
        return may_see(who, conversation, is_offered=is_offered)

    async def open(self, new: NewConversation, along: Along | None = None) -> View:
        """Open a conversation, or find the one that this request opened before.

        `along` is done with it, but not when the request is a repeat. Raises KeyReused, and what `along` raises.
        """
        now_ms = self._clock.now_ms()
        conversation_id = ConversationId(new_uuid())

        async def unit(tx: Transaction) -> _Settled:
            repeated = await self._repeated(tx, new, conversation_id, now_ms)
            if repeated is not None:
                return _Settled(repeated, is_new=False)
            if along is not None:
                await along(tx)
            still_open = await self._still_open(tx, new, now_ms)
            if still_open is not None:
                return _Settled(still_open, is_new=False)
            is_first = not await store.has_any(tx, new.account_id, new.consumer_id)
            opened = rules.new_conversation(new, conversation_id, now_ms, is_first=is_first)
            await store.insert(tx, opened)
            if self.at_opening is not None:
                await self.at_opening(tx, opened)
            return _Settled(opened, is_new=True)

        settled = await self._database.write(unit, self._opened)
        return await self.view(new.account_id, settled.conversation.conversation_id)

    async def change(
        self,
        account_id: AccountId,
        conversation_id: str,
        decide: Decide,
        then: ChangeListener | None = None,
    ) -> Conversation:
        """Judge and change one conversation in one unit of work; gives what stands afterwards.

        `then` is called after COMMIT, behind the listeners, also when nothing changed.
        Raises ConversationNotFound, and what `decide` raises.
        """

        async def unit(tx: Transaction) -> _Settled:
            before = await store.lock(tx, account_id, conversation_id)
            if before is None:
                raise ConversationNotFound
            decided = await decide(before, tx)
            if decided is before:
                return _Settled(before, is_new=False)
            after = rules.next_version(before, decided, self._clock.now_ms())
            await store.save(tx, before, after)
            return _Settled(after, is_new=True)

        def committed(settled: _Settled) -> None:
            if settled.is_new:
                self.views.replace(settled.conversation)
                self._tell(settled.conversation)
            if then is not None:
                then(settled.conversation)

        return (await self._database.write(unit, committed)).conversation

    async def list_for(self, who: Principal, query: ConversationQuery) -> list[View]:
        """What a query means, as `who` may see it, newest first, at most 1000.

        Asked once more of the views: they may have changed since they were listed.
        """
        now_ms = self._clock.now_ms()
        ids = await list_ids(self._database, who, query, now_ms)
        views = await self._loader.load_many(who.account_id, ids)
        return [view for view in views if matches(query, view, who, now_ms)]

    async def list_views(self, account_id: AccountId, wanted: Sequence[ConversationId]) -> list[View]:
        """Those that exist, whoever may see them: for what somebody was shown before."""
        return await self._loader.load_many(account_id, wanted)

    async def knows_consumer(self, who: Principal, consumer_id: ParticipantId) -> bool:
        """Whether the agent may write to this consumer: one it ever talked to, or any by privilege."""
        agent_id = None if who.may(Privilege.SEE_ALL_CONVERSATIONS) else who.id
        return await store.has_met(self._database, who.account_id, consumer_id, agent_id)

    async def _repeated(
        self, tx: Transaction, new: NewConversation, conversation_id: ConversationId, now_ms: int
    ) -> Conversation | None:
        """What the same request opened when it came first. Raises KeyReused."""
        if not new.idempotency_key:
            return None
        first = await store.claim_key(tx, new, conversation_id, now_ms)
        if first is None:
            return None
        if bytes(first["fingerprint"]) != new.fingerprint:
            raise KeyReused
        return await store.lock(tx, new.account_id, first["ref"])

    async def _still_open(self, tx: Transaction, new: NewConversation, now_ms: int) -> Conversation | None:
        """The consumer's open conversation, where an account wants only one."""
        if not new.one_open:
            return None
        found = await store.find_open_of(tx, new.account_id, new.consumer_id)
        if found is not None and new.idempotency_key:
            await store.set_key(tx, new, found.conversation_id, now_ms)
        return found

    def _opened(self, settled: _Settled) -> None:
        if not settled.is_new:
            return
        conversation = settled.conversation
        main = DialogId(conversation.conversation_id)
        self.views.keep(View(conversation, {main: DialogLog(owed_since_ms=conversation.queued_at_ms)}))
        self._tell(conversation)

    def _tell(self, conversation: Conversation) -> None:
        for listener in self._listeners:
            try:
                listener(conversation)
            except Exception:  # noqa: BLE001 -- it is committed: the others must hear of it, and so must who asked
                _log.exception("A listener to conversations failed; the others go on.")
