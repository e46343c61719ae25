"""Hears when a consumer speaks first in a conversation that may get automatic messages, and has them sent.

A conversation opened with the feature has a row until that is settled; whichever node hears the first message
settles it, and the job looks after what nobody heard.
Source: Connector API, "How to enable AUTO_MESSAGES"; docs/protocol.md 7.
"""

from datetime import timedelta

from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations.model import Conversation, Role, State
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ConversationId
from talkwire.kernel.jobs import Job
from talkwire.kernel.tasks import Tasks
from talkwire.messaging import automatic_store as store
from talkwire.messaging.automatic_rules import was_asked_for
from talkwire.messaging.automatic_sending import GIVEN_UP_AFTER_MS, AutomaticSending, controller_of
from talkwire.messaging.hub import Hub
from talkwire.messaging.logged import LoggedEvent

MISSED_AFTER_MS = 2_000
"""Who hears a first message settles it at once; the job takes what is older."""

MOST_AT_ONCE = 500


class Controller:
    """Listens to conversations that may get automatic messages."""

    def __init__(
        self, database: Database, sending: AutomaticSending, hub: Hub, clock: Clock, tasks: Tasks
    ) -> None:
        self._database = database
        self._sending = sending
        self._hub = hub
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
        self._tasks.start(self._sending.settle(account_id, conversation_id), "messaging: automatic messages")

    def jobs(self) -> list[Job]:
        return [Job(name="messaging.automatic_messages", run=self.settle_missed, every=timedelta(seconds=5))]

    async def settle_missed(self) -> None:
        """Settle what another node's end, or ours, left behind."""
        for conversation_id, ear in tuple(self._ears.items()):
            if ear.created_at_ms < self._clock.now_ms() - GIVEN_UP_AFTER_MS:
                self._stop_listening(conversation_id)
        before_ms = self._clock.now_ms() - MISSED_AFTER_MS
        for row in await store.list_due(self._database, before_ms, MOST_AT_ONCE):
            await self._sending.settle(AccountId(row["account_id"]), ConversationId(row["conversation_id"]))

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


def _is_awaited(conversation: Conversation) -> bool:
    """Whether a new conversation may get automatic messages: not one that an agent opened."""
    return not conversation.last_agent_id and was_asked_for(conversation)
