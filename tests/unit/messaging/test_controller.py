"""Automatic messages by a clock that stands still, on both databases, with two nodes on one of them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from routing_rooms import ACCOUNT, consumer
from talkwire.backends.database.port import Append, Database, Transaction
from talkwire.conversations.model import Conversation, NewConversation, Role, Ttr, TtrType
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import Views
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId, new_uuid
from talkwire.kernel.tasks import Tasks
from talkwire.messaging.automatic import AutomaticMessages, in_force
from talkwire.messaging.automatic_rules import AutomaticMessage, Trigger
from talkwire.messaging.automatic_sending import AutomaticSending
from talkwire.messaging.controller import Controller
from talkwire.messaging.feeds import Feeds
from talkwire.messaging.hub import Hub
from talkwire.messaging.logged import of_row
from talkwire.messaging.presence import Presence
from talkwire.messaging.telling import Telling

ASKS = {"clientProperties": {"features": ["AUTO_MESSAGES"]}}
PROPERTIES = b'{"type":".ClientProperties","features":["AUTO_MESSAGES"]}'
WELCOME = AutomaticMessage("welcome", Trigger.CONVERSATION_OPENED, "Welcome!")


class Node:
    """The rooms that automatic messages need."""

    def __init__(self, database: Database, clock: MovableClock) -> None:
        self.database = database
        self.clock = clock
        self.are_bots_allowed = True
        self.failures: list[BaseException] = []
        self.tasks = Tasks(lambda _name, error: self.failures.append(error))
        self.conversations = Conversations(database, clock, Views(), hydrate=of_row)
        hub = Hub()
        presence = Presence(hub, self.conversations.views, clock, 1.0)
        telling = Telling(self.conversations, hub, Feeds(self.conversations, self.tasks, clock), presence)
        self.messages = AutomaticMessages(database, clock)
        messages = in_force(self.messages, self._allowed)
        sending = AutomaticSending(database, self.conversations, messages, telling, clock)
        self.controller = Controller(database, sending, hub, clock, self.tasks)
        self.conversations.at_opening = self.controller.opening

    async def _allowed(self, _account_id: AccountId) -> bool:
        return self.are_bots_allowed

    async def open(self) -> Conversation:
        """A conversation whose client asks for messages. Nobody listens to it: the job must find it."""
        new = NewConversation(
            account_id=ACCOUNT, consumer_id=consumer().id, ttr=Ttr(TtrType.NORMAL, 60), context=ASKS
        )
        return (await self.conversations.open(new)).conversation

    async def say(self, conversation: Conversation) -> None:
        """The consumer's word, as publishing would append it."""
        entry = Append(
            account_id=ACCOUNT,
            conversation_id=conversation.conversation_id,
            dialog_id=conversation.main.dialog_id,
            version=conversation.version,
            event_id=new_uuid(),
            kind="content",
            event=b'{"type":"ContentEvent","contentType":"text/plain","message":"hello"}',
            originator_id=conversation.consumer_id,
            originator_role=Role.CONSUMER.value,
            audience="ALL",
            at_ms=self.clock.now_ms(),
            settled=lambda _entry: None,
            is_content=True,
            client_properties=PROPERTIES,
        )

        async def unit(tx: Transaction) -> None:
            await tx.append([entry])

        await self.database.write(unit)

    async def roles(self, conversation: Conversation) -> list[str]:
        rows = await self.database.read(
            "SELECT originator_role FROM events WHERE account_id = $1 AND dialog_id = $2 ORDER BY sequence",
            ACCOUNT,
            conversation.main.dialog_id,
        )
        return [row["originator_role"] for row in rows]


@pytest.fixture
async def nodes(any_database: Database) -> AsyncIterator[list[Node]]:
    """Two nodes on one database."""
    clock = MovableClock()
    made = [Node(any_database, clock) for _ in range(2)]
    await made[0].messages.replace(ACCOUNT, [WELCOME])
    yield made
    for node in made:
        await node.tasks.close()
        assert node.failures == []


@pytest.mark.parametrize(("seconds", "count"), [(0, 1), (9.9, 1), (10, 1), (10.1, 0)])
async def test_a_first_message_is_in_time_for_ten_seconds(
    nodes: list[Node], seconds: float, count: int
) -> None:
    node = nodes[0]
    conversation = await node.open()
    node.clock.advance(seconds=seconds)
    await node.say(conversation)
    node.clock.advance(seconds=60)  # nobody heard it: the job comes late, and judges by when it was said
    await node.controller.settle_missed()
    assert await node.roles(conversation) == ["CONSUMER", *["CONTROLLER"] * count]


async def test_an_account_that_allows_no_controller_bots_sends_none(nodes: list[Node]) -> None:
    node = nodes[0]
    node.are_bots_allowed = False
    conversation = await node.open()
    await node.say(conversation)
    node.clock.advance(seconds=3)
    await node.controller.settle_missed()
    node.are_bots_allowed = True
    await node.controller.settle_missed()  # it was settled when it was due
    assert await node.roles(conversation) == ["CONSUMER"]


async def test_two_nodes_send_it_once(nodes: list[Node]) -> None:
    conversation = await nodes[0].open()
    await nodes[0].say(conversation)
    nodes[0].clock.advance(seconds=3)
    await asyncio.gather(*(node.controller.settle_missed() for node in nodes * 3))
    assert await nodes[0].roles(conversation) == ["CONSUMER", "CONTROLLER"]
    third = Node(nodes[0].database, nodes[0].clock)
    view = await third.conversations.view(ACCOUNT, conversation.conversation_id)
    assert [p.role for p in view.conversation.participants] == [Role.CONSUMER, Role.CONTROLLER]


async def test_the_time_to_response_runs_on(nodes: list[Node]) -> None:
    node = nodes[0]
    conversation = await node.open()
    await node.say(conversation)
    node.clock.advance(seconds=3)
    await node.controller.settle_missed()
    rows = await node.database.read(
        "SELECT owed_since FROM dialogs WHERE account_id = $1 AND dialog_id = $2",
        ACCOUNT,
        conversation.main.dialog_id,
    )
    assert rows[0]["owed_since"] == conversation.created_at_ms
