"""Consumers' sockets that come and go are told to the agents. Source: docs/protocol.md 4.3, 4.4, Appendix A27."""

import asyncio

import pytest

from protocol.stage import CLOSE, Cast, Socket, Stage, update
from talkwire.gateway.following import LEAVING
from talkwire.messaging import presence

pytestmark = pytest.mark.asyncio(loop_scope="module")

V2 = {"version": "2", "way": "path"}


async def talk_with(cast: Cast, consumer: Socket) -> tuple[str, Socket]:
    """A conversation of the consumer, and a manager who takes part in it."""
    talk = await cast.talk(consumer)
    manager = await cast.connect("manager")
    await cast.join(manager, talk, "MANAGER")
    return talk, manager


async def leave(stage: Stage, socket: Socket) -> None:
    """Close a client's end; the server's part has ended, and what it tells of that is told."""
    before = len(stage.node.registry)
    await socket.ws.close()
    async with asyncio.timeout(8):
        while len(stage.node.registry) >= before or is_leaving():  # noqa: ASYNC110 -- the server's part ends by itself
            await asyncio.sleep(0.01)


def is_leaving() -> bool:
    return any(task.get_name() == LEAVING for task in asyncio.all_tasks())


async def next_state(agent: Socket) -> tuple[str, str]:
    """The dialog and the chat state that the agent hears next."""
    frame = await agent.take(
        lambda frame: frame["kind"] == "notification" and "chatState" in frame["body"].get("event", ())
    )
    return frame["body"]["dialogId"], frame["body"]["event"]["chatState"]


async def pause(consumer: Socket, dialog_id: str) -> None:
    """A chat state that follows what was told before."""
    event = {"type": "ChatStateEvent", "chatState": "PAUSE"}
    await consumer.ask("ms.PublishEvent", {"dialogId": dialog_id, "event": event})


@pytest.mark.parametrize(("query", "gone"), [("", "GONE"), ("&integration=MOBILE_SDK", "BACKGROUND")])
async def test_a_consumer_of_the_old_version_needs_no_subscription_to_be_missed(
    stage: Stage, cast: Cast, query: str, gone: str
) -> None:
    consumer = await cast.connect("consumer", **V2, query=query)
    talk, manager = await talk_with(cast, consumer)
    await leave(stage, consumer)
    assert await next_state(manager) == (talk, gone)
    await cast.connect("consumer", **V2)
    assert await next_state(manager) == (talk, "ACTIVE")


async def test_each_open_dialog_is_told_and_no_closed_one(stage: Stage, cast: Cast) -> None:
    consumer = await cast.connect("consumer", **V2)
    talks = [await cast.talk(consumer) for _ in range(3)]
    manager = await cast.connect("manager")
    for talk in talks:
        await cast.join(manager, talk, "MANAGER")
    assert (await update(consumer, talks[0], CLOSE))["code"] == 200
    await leave(stage, consumer)
    assert {await next_state(manager), await next_state(manager)} == {(t, "GONE") for t in talks[1:]}
    again = await cast.connect("consumer", **V2)
    assert {await next_state(manager), await next_state(manager)} == {(t, "ACTIVE") for t in talks[1:]}
    await pause(again, talks[1])
    assert await next_state(manager) == (talks[1], "PAUSE")


@pytest.mark.parametrize("version", ["2", "3"])
async def test_who_hears_the_dialog_on_another_socket_is_not_gone(
    stage: Stage, cast: Cast, version: str
) -> None:
    consumer = await cast.connect("consumer", **V2)
    talk, manager = await talk_with(cast, consumer)
    other = await cast.connect("consumer", version)
    if version == "3":
        await other.ask("ms.SubscribeMessagingEvents", {"dialogId": talk})
    await leave(stage, consumer)
    await pause(other, talk)
    assert await next_state(manager) == (talk, "PAUSE")
    await leave(stage, other)
    assert await next_state(manager) == (talk, "GONE")
    again = await cast.connect("consumer", **V2)
    assert await next_state(manager) == (talk, "ACTIVE")
    await pause(again, talk)
    assert await next_state(manager) == (talk, "PAUSE")


async def test_a_subscription_that_ends_is_not_missed_while_a_socket_of_the_old_version_hears_all(
    stage: Stage, cast: Cast
) -> None:
    consumer = await cast.connect("consumer")
    talk, manager = await talk_with(cast, consumer)
    await consumer.ask("ms.SubscribeMessagingEvents", {"dialogId": talk})
    old = await cast.connect("consumer", **V2)
    await leave(stage, consumer)
    await pause(old, talk)
    assert await next_state(manager) == (talk, "PAUSE")


async def test_a_socket_that_does_not_follow_the_dialog_does_not_hear_it(stage: Stage, cast: Cast) -> None:
    consumer = await cast.connect("consumer", **V2)
    talk, manager = await talk_with(cast, consumer)
    await cast.connect("consumer")
    await leave(stage, consumer)
    assert await next_state(manager) == (talk, "GONE")


async def test_whoever_comes_back_at_once_is_there_in_the_end(stage: Stage, cast: Cast) -> None:
    consumer = await cast.connect("consumer", **V2)
    talk, manager = await talk_with(cast, consumer)
    for _ in range(5):
        await consumer.ws.close()
        consumer = await cast.connect("consumer", **V2)
    await consumer.settled()
    await pause(consumer, talk)
    heard: list[str] = []
    while not heard or heard[-1] != "PAUSE":
        heard.append((await next_state(manager))[1])
    assert heard[:-1] == ["GONE", "ACTIVE"] * (len(heard) // 2)


async def test_of_too_many_who_left_those_of_long_ago_are_forgotten(
    stage: Stage, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "MOST_AWAY", 1)
    first, second = await cast.connect("consumer1", **V2), await cast.connect("consumer2", **V2)
    talk, manager = await talk_with(cast, first)
    other = await cast.talk(second)
    await cast.join(manager, other, "MANAGER")
    await leave(stage, first)
    await leave(stage, second)
    assert [await next_state(manager), await next_state(manager)] == [(talk, "GONE"), (other, "GONE")]
    await cast.connect("consumer1", **V2)
    await cast.connect("consumer2", **V2)
    assert await next_state(manager) == (other, "ACTIVE")
