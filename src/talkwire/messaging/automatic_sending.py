"""What becomes of a conversation that may get automatic messages: they are sent as its CONTROLLER's, or given up.

Whoever comes first settles it: the unit that sends takes its row away, so it is sent once.
Source: Connector API, "How to enable AUTO_MESSAGES"; docs/protocol.md 7.
"""

import uuid

import msgspec

from talkwire.backends.database.port import Append, Database, Outcome, Transaction
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import Conversation, Participant, Role, State
from talkwire.conversations.participants import add_participant
from talkwire.conversations.service import Conversations
from talkwire.identity.model import Kind, Principal, Privilege
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId, digest_of, new_uuid
from talkwire.messaging import automatic_store as store
from talkwire.messaging.automatic import InForce
from talkwire.messaging.automatic_rules import (
    WINDOW_MS,
    AutomaticMessage,
    asks_for_messages,
    due,
    is_in_time,
)
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import Audience, ContentEvent, EventKind
from talkwire.messaging.telling import Telling

NAMESPACE = uuid.UUID("3f0a5c1e-6b0f-4a67-9d0e-0a4b6f7f9c11")
GIVEN_UP_AFTER_MS = WINDOW_MS + 60_000
"""Without a first message by then there is nothing to wait for; the minute is for clocks that disagree."""

_encode = msgspec.json.Encoder().encode


class AutomaticSending:
    """Sends what is due, once."""

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        in_force: InForce,
        telling: Telling,
        clock: Clock,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._in_force = in_force
        self._telling = telling
        self._clock = clock

    async def settle(self, account_id: AccountId, conversation_id: ConversationId) -> None:
        """Send what is due to a conversation whose consumer has spoken; give it up when it is too late."""
        try:
            conversation = (await self._conversations.view(account_id, conversation_id)).conversation
        except ConversationNotFound:
            await self._forget(account_id, conversation_id)
            return
        first = await store.find_first_message(self._database, account_id, conversation.main.dialog_id)
        if first is None:
            if conversation.created_at_ms < self._clock.now_ms() - GIVEN_UP_AFTER_MS:
                await self._forget(account_id, conversation_id)
            return
        properties = first["client_properties"]
        wanted = (
            is_in_time(conversation, first["at"])
            and properties is not None
            and asks_for_messages(msgspec.json.decode(bytes(properties)))
        )
        messages = due(await self._in_force(account_id), conversation, first["at"]) if wanted else []
        if messages:
            await self._send(conversation, messages)
        else:
            await self._forget(account_id, conversation_id)

    async def _send(self, conversation: Conversation, messages: list[AutomaticMessage]) -> None:
        """All of them and the CONTROLLER's coming in one unit, if nobody was faster."""
        told: list[LoggedEvent] = []

        async def decide(before: Conversation, tx: Transaction) -> Conversation:
            told.clear()
            if not await store.take_due(tx, before.account_id, before.conversation_id):
                return before
            if before.main.state is not State.OPEN:
                return before
            who = controller_of(before.account_id)
            entries = [self._entry(before, who.id, message) for message in messages]
            await tx.append(entries)
            told.extend(entry for entry in entries if entry.outcome is Outcome.APPENDED)
            participant = Participant(id=who.id, role=Role.CONTROLLER, old_id=who.old_id)
            return add_participant(before, participant, self._clock.now_ms())

        def committed(_conversation: Conversation) -> None:
            for event in told:
                self._telling.tell(event)

        await self._conversations.change(
            conversation.account_id, conversation.conversation_id, decide, committed
        )

    def _entry(
        self, conversation: Conversation, controller_id: ParticipantId, message: AutomaticMessage
    ) -> LoggedEvent:
        text = _encode(ContentEvent(message=message.text))
        entry = LoggedEvent(
            account_id=conversation.account_id,
            conversation_id=conversation.conversation_id,
            dialog_id=conversation.main.dialog_id,
            version=conversation.version,
            event_id=new_uuid(),
            kind=EventKind.CONTENT.value,
            event=text,
            originator_id=controller_id,
            originator_role=Role.CONTROLLER.value,
            audience=Audience.ALL.value,
            at_ms=self._clock.now_ms(),
            settled=_nobody_waits,
            is_content=True,
            idempotency_key=f"automatic:{conversation.conversation_id}:{digest_of(message.name)[:32]}",
            fingerprint=b"",
        )
        return entry.as_told(controller_id)

    async def _forget(self, account_id: AccountId, conversation_id: ConversationId) -> None:
        async def unit(tx: Transaction) -> None:
            await store.take_due(tx, account_id, conversation_id)

        await self._database.write(unit)


def controller_of(account_id: AccountId) -> Principal:
    """The account's automation: always the same, nobody signs in as it."""
    controller_id = ParticipantId(str(uuid.uuid5(NAMESPACE, account_id)))
    return Principal(
        account_id=account_id,
        id=controller_id,
        kind=Kind.AGENT,
        old_id=controller_id,
        name="automatic messages",
        privileges=frozenset({Privilege.SEE_ALL_CONVERSATIONS}),
        is_bot=True,
    )


def _nobody_waits(_entry: Append) -> None:
    """The unit's own result tells."""
