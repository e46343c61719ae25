"""What was acknowledged reaches who follows it, also when a read fails, a view goes, or the node stops.

Source: docs/protocol.md 3.8, 4.2, 5.6 to 5.8.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from threading import Event
from typing import Any, Self

import pytest

from protocol.stage import WAIT_SECONDS, Cast, Socket, Stage, new_cast, say, staged
from talkwire.backends.database.port import Transaction
from talkwire.gateway.connection import Connection
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import ConversationId

Json = dict[str, Any]


@pytest.fixture
async def stage(tmp_path: Any) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        yield stage


@pytest.fixture
async def cast(stage: Stage) -> AsyncIterator[Cast]:
    cast = await new_cast(stage)
    yield cast
    await cast.leave()


class Outage:
    """The database cannot be read until it is over. Writes go on."""

    def __init__(self, stage: Stage, wanted: str) -> None:
        self._database: Any = stage.node.database
        self._wanted = wanted
        self.refused = asyncio.Event()

    def __enter__(self) -> Self:
        read = self._database.read

        async def refuse(sql: str, *args: object) -> Any:
            if self._wanted in sql:
                self.refused.set()
                raise Unavailable("out")
            return await read(sql, *args)

        self._database.read = refuse
        return self

    def __exit__(self, *_: object) -> None:
        del self._database.read


async def fill(consumer: Socket, dialog_id: str, count: int) -> None:
    """Large events: some hundred of them are more than an outbox takes."""
    event = {"type": "RichContentEvent", "content": {"type": "text", "text": "x" * 120_000}}
    for _ in range(count):
        answer = await consumer.ask("ms.PublishEvent", {"dialogId": dialog_id, "event": event})
        assert answer["code"] == 200


async def sequences(socket: Socket, up_to: int) -> list[int]:
    """Of all events heard until this one."""
    heard: list[int] = []
    while not heard or heard[-1] < up_to:
        body = await socket.note("MessagingEventNotification")
        heard += [change["sequence"] for change in body["changes"] if "sequence" in change]
    return heard


async def test_a_subscription_that_cannot_be_caught_up_ends_its_socket(stage: Stage, cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    dialog_id = await cast.talk(consumer)
    with Outage(stage, "FROM events"):
        answer = await consumer.ask("ms.SubscribeMessagingEvents", {"dialogId": dialog_id})
        assert answer["code"] == 200
        assert await consumer.close_code() == 1013


async def test_a_snapshot_that_cannot_be_made_ends_its_socket(stage: Stage, cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    with Outage(stage, "FROM conversations"):
        answer = await consumer.ask("cqm.SubscribeExConversations", {"convState": ["OPEN"]})
        assert answer["code"] == 200
        assert await consumer.close_code() == 1013


async def test_a_long_past_reaches_a_client_that_reads(cast: Cast) -> None:
    """More than the outbox takes, in one dialog."""
    consumer = await cast.connect("consumer")
    dialog_id = await cast.talk(consumer)
    await fill(consumer, dialog_id, 300)
    late = await cast.connect("consumer")
    await late.ask("ms.SubscribeMessagingEvents", {"dialogId": dialog_id})
    await say(consumer, dialog_id, "new")
    assert await sequences(late, 300) == list(range(301))
    await late.settled()


async def test_a_large_answer_reaches_a_client_that_reads(cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    dialog_id = await cast.talk(consumer)
    await fill(consumer, dialog_id, 300)
    answer = await consumer.ask("ms.QueryMessages", {"dialogId": dialog_id})
    assert len(answer["body"]) == 300
    await consumer.settled()


async def test_an_unsubscribe_leaves_other_subscriptions_alone(stage: Stage, cast: Cast) -> None:
    """While both wait for a client that does not read."""
    consumer = await cast.connect("consumer")
    dialog_ids = [await cast.talk(consumer) for _ in range(3)]
    for dialog_id in dialog_ids:
        await fill(consumer, dialog_id, 120)
    late = await cast.connect("consumer")
    for number, dialog_id in enumerate(dialog_ids):
        await late.send(request(f"s{number}", "ms.SubscribeMessagingEvents", dialogId=dialog_id))
    at_server = newest_connection(stage)
    await until(lambda: at_server.outbox.waiting_bytes > 0)
    await late.send(request("u", "ms.UnsubscribeMessagingEvents", dialogId=dialog_ids[0]))
    heard: dict[str, list[int]] = {dialog_id: [] for dialog_id in dialog_ids}
    for dialog_id in dialog_ids:
        await say(consumer, dialog_id, "new")
    while any(not seen or seen[-1] < 120 for dialog_id, seen in heard.items() if dialog_id != dialog_ids[0]):
        body = await late.note("MessagingEventNotification")
        heard[body["dialogId"]] += [change["sequence"] for change in body["changes"]]
    assert heard[dialog_ids[1]] == heard[dialog_ids[2]] == list(range(121))


async def test_what_was_handed_in_is_answered_before_the_node_goes_away(stage: Stage, cast: Cast) -> None:
    """Even when the disk is slow just then: who hears of no answer sends it again."""
    consumer = await cast.connect("consumer")
    dialog_id = await cast.talk(consumer)
    disk = Event()

    async def slow(_tx: Transaction) -> None:
        disk.wait(WAIT_SECONDS)

    writing = asyncio.create_task(stage.node.database.write(slow))
    for number in range(5):
        await consumer.send(publish(str(number), dialog_id))
    await consumer.send(request("open", "cm.ConsumerRequestConversation"))
    at_server = newest_connection(stage)
    await until(lambda: at_server.is_busy)
    drained = asyncio.create_task(stage.node.registry.drain(WAIT_SECONDS))
    await until(lambda: at_server.close_code is not None)
    disk.set()
    assert await consumer.close_code() == 1001
    await asyncio.gather(drained, writing)
    answered = [frame["reqId"] for frame in consumer.waiting if frame.get("code") == 200]
    assert answered == ["0", "1", "2", "3", "4", "open"]


async def test_an_agent_is_told_although_the_view_was_to_be_let_go(stage: Stage, cast: Cast) -> None:
    """Of what is under way, and without a subscription."""
    consumer, agent = await cast.connect("consumer"), await cast.connect("agent")
    other_id, dialog_id = await cast.talk(consumer), await cast.talk(consumer)
    await cast.assign(agent, dialog_id)
    conversations, disk = stage.node.services.conversations, Event()
    conversations.views.forget(cast.account, ConversationId(other_id))

    async def slow(_tx: Transaction) -> None:
        disk.wait(WAIT_SECONDS)

    writing = asyncio.create_task(stage.node.database.write(slow))
    await consumer.send(publish("1", dialog_id))
    await until(lambda: stage.node.services.publishing._lanes.is_open(cast.account, dialog_id))
    conversations.views._limit = 1
    for _ in range(2):  # the first time it is let off, for it changed since it was read
        await conversations.view(cast.account, other_id)
        conversations.views.forget(cast.account, ConversationId(other_id))
    disk.set()
    assert (await agent.note("OnlineEventDistribution"))["sequence"] == 0
    await writing


async def test_who_goes_before_the_snapshot_leaves_nothing_behind(stage: Stage, cast: Cast) -> None:
    agent = await cast.connect("agent")
    await agent.ask(".ams.aam.SubscribeExConversations", {"convState": ["OPEN"]})
    await agent.ws.close()
    tasks, feeds = stage.node.tasks, stage.node.services.feeds
    await until(lambda: all(task.get_name() != "feeds: snapshot" for task in tasks._tasks))
    await until(lambda: not stage.node.registry)
    assert (feeds._of_account, feeds._of_consumer, feeds._waiting) == ({}, {}, {})


def newest_connection(stage: Stage) -> Connection:
    """The server's end of the socket that was opened last."""
    return list(stage.node.registry._connections)[-1]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not is_so():  # noqa: ASYNC110 -- a test may look
            await asyncio.sleep(0.001)


def request(request_id: str, type_name: str, **body: object) -> Json:
    return {"kind": "req", "id": request_id, "type": type_name, "body": body}


def publish(request_id: str, dialog_id: str) -> str:
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": "hello"}
    return json.dumps(request(request_id, "ms.PublishEvent", dialogId=dialog_id, event=event))


async def test_a_consumer_who_leaves_while_nothing_can_be_read_leaves_no_incident(
    stage: Stage, cast: Cast
) -> None:
    """Source: docs/protocol.md 4.3."""
    consumer = await cast.connect("consumer", "2")
    talk = await cast.talk(consumer)
    manager = await cast.connect("manager")
    await cast.join(manager, talk, "MANAGER")
    with Outage(stage, "FROM conversations c") as outage:
        await consumer.ws.close()
        async with asyncio.timeout(WAIT_SECONDS):
            await outage.refused.wait()
    assert (await manager.ask("GetClock"))["code"] == 200
    assert stage.incidents == 0
