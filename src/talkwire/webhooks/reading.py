"""What comes next for a lane: read from what was heard, from the log, and from the conversation as it stands."""

from collections.abc import Sequence

from talkwire.backends.database.port import Database
from talkwire.connectors import deliveries_store as store
from talkwire.connectors.delivery_model import Cursor, Delivery, Endpoint
from talkwire.connectors.delivery_rules import KEY_OF_KIND
from talkwire.connectors.model import EventKey
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import DialogType, State
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import View
from talkwire.identity.model import Kind, Principal
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId
from talkwire.messaging.catching_up import Log
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import Audience
from talkwire.webhooks.lane import Lane
from talkwire.webhooks.letters import Letter, conversation_letter, event_letter

_ALL = Audience.ALL.value


class Reading:
    """Reads for one endpoint after another. Private events and other events' keys are passed over."""

    def __init__(self, database: Database, conversations: Conversations, log: Log) -> None:
        self._database = database
        self._conversations = conversations
        self._log = log

    async def load(self, endpoint: Endpoint, lane: Lane) -> None:
        """Read the lane's cursor, or begin where the endpoint did. Raises ConversationNotFound."""
        held = await store.find_cursor(
            self._database, endpoint.account_id, endpoint.endpoint_id, lane.conversation_id
        )
        lane.load(held or await self.beginning(endpoint, lane.conversation_id))

    async def prepare(self, endpoint: Endpoint, conversation_ids: Sequence[str]) -> None:
        """Read the conversations of lanes to come together: one by one costs several times as much."""
        await self._conversations.views_of(endpoint.account_id, [ConversationId(i) for i in conversation_ids])

    async def next_letter(self, endpoint: Endpoint, lane: Lane) -> Letter | None:
        """The letter at the head; None when all is told, which the lane then notes.

        A conversation's state goes before what was said in it, the closing one behind.
        Raises ConversationNotFound.
        """
        view = await self._conversations.view(endpoint.account_id, lane.conversation_id)
        conversation = view.conversation
        is_told = EventKey.CONVERSATION in endpoint.event_keys
        if not is_told:
            lane.told_version = max(lane.told_version, conversation.version)
        is_changed = conversation.version > lane.told_version
        if is_changed and conversation.state is State.OPEN:
            return conversation_letter(view)
        event = await self._next_event(endpoint, lane, view)
        if event is not None:
            return event_letter(event)
        lane.must_look = False
        if is_changed:
            return conversation_letter(view)
        lane.is_done = conversation.stage is State.CLOSE
        return None

    async def letter_of(self, account_id: AccountId, delivery: Delivery) -> Letter | None:
        """A letter written anew from the log; None when there is nothing to tell any more."""
        if delivery.event_key == EventKey.CONVERSATION:
            try:
                view = await self._conversations.view(account_id, delivery.conversation_id)
            except ConversationNotFound:
                return None
            return Letter(delivery, conversation_letter(view).body)
        found = await self._log.read_from(_reader(account_id), delivery.dialog_id, delivery.sequence)
        event = next((e for e in found.events if e.sequence == delivery.sequence), None)
        return None if event is None else Letter(delivery, event_letter(event).body)

    def forget_view(self, account_id: AccountId, conversation_id: str, version: int) -> None:
        """Another node changed a conversation: what is held of it is too old."""
        held = self._conversations.views.find(account_id, conversation_id)  # type: ignore[arg-type]
        if held is not None and held.conversation.version < version:
            self._conversations.views.forget(account_id, conversation_id)  # type: ignore[arg-type]

    async def _next_event(self, endpoint: Endpoint, lane: Lane, view: View) -> LoggedEvent | None:
        for dialog_id, dialog in view.dialogs.items():
            if dialog.type is DialogType.AGENTS:
                continue
            last = view.logs[dialog.dialog_id].last_sequence
            while True:
                event = lane.take_fresh(dialog_id) or await self._of_log(endpoint, lane, dialog_id, last)
                if event is None:
                    break
                if event.audience == _ALL and KEY_OF_KIND[event.kind] in endpoint.event_keys:
                    return event
                lane.advance(dialog_id, event.sequence + 1)
        return None

    async def _of_log(self, endpoint: Endpoint, lane: Lane, dialog_id: str, last: int) -> LoggedEvent | None:
        """The event at the cursor from the page that was read, or from the next page."""
        lane.fresh.clear()  # it has a gap, or is another dialog's
        while True:
            position = lane.positions.get(dialog_id, 0)
            if lane.page_dialog_id == dialog_id:
                while lane.page and lane.page[0].sequence < position:
                    lane.page.popleft()
                if lane.page:
                    return lane.page[0]
                position = max(position, lane.page_following)
                lane.advance(dialog_id, position)
            if position > last and not lane.must_look:
                lane.page_dialog_id = ""
                return None
            found = await self._log.read_from(_reader(endpoint.account_id), dialog_id, position)
            lane.page.clear()
            lane.page.extend(found.events)
            lane.page_dialog_id, lane.page_following = dialog_id, found.following
            if not found.events and found.following == position:
                lane.page_dialog_id = ""
                return None

    async def beginning(self, endpoint: Endpoint, conversation_id: str) -> Cursor:
        """Where an endpoint begins in a conversation: with what happened since it is there.

        Raises ConversationNotFound.
        """
        view = await self._conversations.view(endpoint.account_id, conversation_id)
        conversation = view.conversation
        if conversation.created_at_ms >= endpoint.since_ms:
            return Cursor(conversation_id=conversation_id)
        is_later = conversation.updated_at_ms >= endpoint.since_ms
        return Cursor(
            conversation_id=conversation_id,
            told_version=conversation.version - (1 if is_later else 0),
            positions=await store.starts_since(
                self._database, endpoint.account_id, conversation_id, endpoint.since_ms
            ),
        )


def _reader(account_id: AccountId) -> Principal:
    """Who reads for a webhook: somebody who sees what a consumer sees."""
    return Principal(account_id=account_id, kind=Kind.CONSUMER, id=ParticipantId(""))
