"""Sends automatic messages: as a CONTROLLER, once, when the consumer's first message has come in time.

A conversation opened with the feature has a row until that is settled; whichever node hears the first message
settles it, and the job looks after what nobody heard. The unit that sends takes the row away, so it is sent once.
Source: Connector API, "How to enable AUTO_MESSAGES"; docs/protocol.md 7.
"""

import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec

from talkwire.backends.database.port import Append, Database, Outcome, Transaction
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import Conversation, Participant, Role, State
from talkwire.conversations.participants import add_participant
from talkwire.conversations.service import Conversations
from talkwire.identity.model import Kind, Principal, Privilege
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId, digest_of, new_uuid
from talkwire.kernel.jobs import Job
from talkwire.kernel.tasks import Tasks
from talkwire.messaging import automatic_store as store
from talkwire.messaging.automatic import AutomaticMessages
from talkwire.messaging.automatic_rules import (
    WINDOW_MS,
    AutomaticMessage,
    asks_for_messages,
    due,
    is_in_time,
    was_asked_for,
)
from talkwire.messaging.hub import Hub
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import Audience, ContentEvent, EventKind
from talkwire.messaging.telling import Telling

NAMESPACE = uuid.UUID("3f0a5c1e-6b0f-4a67-9d0e-0a4b6f7f9c11")
MISSED_AFTER_MS = 2_000
"""Who hears a first message settles it at once; the job takes what is older."""

GIVEN_UP_AFTER_MS = WINDOW_MS + 60_000
"""Without a first message by then there is nothing to wait for; the minute is for clocks that disagree."""

MOST_AT_ONCE = 500
_encode = msgspec.json.Encoder().encode

Allowed = Callable[[AccountId], Awaitable[bool]]
"""Whether the account allows controller bots."""


class Controller:
    """Listens to conversations that may get automatic messages, and sends them."""

    def __init__(  # noqa: PLR0913 -- it stands between the log, those who listen, and what is declared
        self,
        database: Database,
        conversations: Conversations,
        messages: AutomaticMessages,
        allowed: Allowed,
        hub: Hub,
        telling: Telling,
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._messages = messages
        self._allowed = allowed
        self._hub = hub
        self._telling = telling
        self._clock = clock
        self._tasks = tasks
        self._ears: dict[ConversationId, _Ear] = {}

    async def opening(self, tx: Transaction, conversation: Conversation) -> None:
        """For `Conversations.at_opening`: write down that messages may be due."""
        if _is_awaited(conversation):
            await store.insert_due(
                tx, conversation.account_id, conversation.conversation_id, conversation.created_at_ms
            )

    def changed(self, conversation: Conversation) -> None:
        """For `Conversations.on_change`: listen to a new conversation, and no longer to one that ended."""
        conversation_id = conversation.conversation_id
        if conversation.version == 1 and _is_awaited(conversation):
            ear = self._ears[conversation_id] = _Ear(self, conversation)
            self._hub.add_to_dialog(conversation.account_id, conversation_id, ear)
        elif conversation.state is not State.OPEN:
            self._stop_listening(conversation_id)

    def first_message(self, account_id: AccountId, conversation_id: ConversationId) -> None:
        """A consumer spoke."""
        self._stop_listening(conversation_id)
        self._tasks.start(self.settle(account_id, conversation_id), "messaging: automatic messages")

    def jobs(self) -> list[Job]:
        return [Job(name="messaging.automatic_messages", run=self.settle_missed, every=timedelta(seconds=5))]

    async def settle_missed(self) -> None:
        """Settle what another node's end, or ours, left behind."""
        for conversation_id, ear in tuple(self._ears.items()):
            if ear.created_at_ms < self._clock.now_ms() - GIVEN_UP_AFTER_MS:
                self._stop_listening(conversation_id)
        before_ms = self._clock.now_ms() - MISSED_AFTER_MS
        for row in await store.list_due(self._database, before_ms, MOST_AT_ONCE):
            await self.settle(AccountId(row["account_id"]), ConversationId(row["conversation_id"]))

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
            and await self._allowed(account_id)
        )
        messages = due(await self._messages.declared(account_id), conversation, first["at"]) if wanted else []
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

    def _stop_listening(self, conversation_id: ConversationId) -> None:
        ear = self._ears.pop(conversation_id, None)
        if ear is not None:
            self._hub.remove_from_dialog(ear.who.account_id, conversation_id, ear)


class _Ear:
    """Waits for the first word of one consumer. A `hub.Follower`."""

    __slots__ = ("_controller", "_conversation_id", "created_at_ms", "who")

    def __init__(self, controller: Controller, conversation: Conversation) -> None:
        self.who = controller_of(conversation.account_id)
        self.created_at_ms = conversation.created_at_ms
        self._conversation_id = conversation.conversation_id
        self._controller = controller

    def hear(self, event: LoggedEvent) -> None:
        if event.is_content and event.originator_role == Role.CONSUMER.value:
            self._controller.first_message(self.who.account_id, self._conversation_id)

    def dismissed(self) -> None:
        """It sees every conversation of its account; nothing to do."""


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


def _is_awaited(conversation: Conversation) -> bool:
    """Whether a new conversation may get automatic messages: not one that an agent opened."""
    return not conversation.last_agent_id and was_asked_for(conversation)


def _nobody_waits(_entry: Append) -> None:
    """The unit's own result tells."""
