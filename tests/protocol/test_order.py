"""Order, and who wins: what no transcript can say. Source: docs/protocol.md 5.7, 5.11, 6."""

import asyncio
import itertools
from typing import Any

import pytest

from protocol.stage import CLOSE, Cast, Socket, say, update

TEXT = {"type": "ContentEvent", "contentType": "text/plain", "message": "x"}


async def pour(socket: Socket, talk: str, count: int) -> list[int]:
    """Publish many texts without waiting; gives the sequences in the order of the answers."""
    for number in range(count):
        body = {"dialogId": talk, "event": TEXT}
        await socket.send({"id": f"pour-{number}", "type": "ms.PublishEvent", "body": body})
    answers = [await socket.take(lambda frame: frame["kind"] == "resp") for _ in range(count)]
    assert [answer["reqId"] for answer in answers] == [f"pour-{number}" for number in range(count)]
    return [answer["body"]["sequence"] for answer in answers]


async def heard(socket: Socket, count: int) -> tuple[list[int], list[int]]:
    """The sequences of so many events, and how many each notification held."""
    sequences: list[int] = []
    sizes = []
    while len(sequences) < count:
        changes = (await socket.note("MessagingEventNotification"))["changes"]
        sequences += [change["sequence"] for change in changes]
        sizes.append(len(changes))
    return sequences, sizes


@pytest.mark.asyncio(loop_scope="module")
async def test_of_two_agents_who_accept_at_once_one_wins(cast: Cast) -> None:
    agents = [await cast.connect(name, "3") for name in ("agent", "agent2")]
    rings: list[Any] = []
    consumer = await cast.connect("consumer")
    for agent in agents:
        await agent.ask("routing.SetAgentState", {"availability": "ONLINE"})
        await agent.ask("routing.SubscribeRoutingTasks")
    for _ in range(5):
        talk = await cast.talk(consumer)
        rings = []
        for agent in agents:
            told = await agent.take(
                lambda frame, talk=talk: "WAITING" in str(frame) and talk in str(frame["body"])  # type: ignore[misc]
            )
            rings.append(told["body"]["changes"][0]["result"]["ringsDetails"][0]["ringId"])
        answers = await asyncio.gather(
            *(
                agent.ask("routing.UpdateRingState", {"ringId": ring, "ringState": "ACCEPTED"})
                for agent, ring in zip(agents, rings, strict=True)
            )
        )
        assert sorted(answer["code"] for answer in answers) == [202, 400]
        winner = agents[[answer["code"] for answer in answers].index(202)]
        loser = next(agent for agent in agents if agent is not winner)
        assert (await say(winner, talk, "mine"))["code"] == 200
        assert (await say(loser, talk, "mine?"))["code"] == 404
        await loser.take(lambda frame, talk=talk: "CANCELLED" in str(frame) and talk in str(frame))  # type: ignore[misc]
        assert (await update(consumer, talk, CLOSE))["code"] == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_a_long_past_comes_in_parts_of_500_without_a_gap_and_goes_live(cast: Cast) -> None:
    writer, reader = await cast.connect("consumer"), await cast.connect("consumer")
    talk = await cast.talk(writer)
    assert await pour(writer, talk, 1_100) == list(range(1_100))
    await reader.ask("ms.SubscribeMessagingEvents", {"dialogId": talk, "fromSeq": 20})
    assert await pour(writer, talk, 50) == list(range(1_100, 1_150))  # while the reader catches up
    sequences, sizes = await heard(reader, 1_130)
    assert sequences == list(range(20, 1_150))
    assert max(sizes) <= 500
    newest = (await reader.ask("ms.QueryMessages", {"dialogId": talk}))["body"]
    assert [change["sequence"] for change in newest] == list(range(150, 1_150))
    oldest = (await reader.ask("ms.QueryMessages", {"dialogId": talk, "maxQuantity": 9_999}))["body"]
    assert [change["sequence"] for change in oldest] == list(range(1_000))
    none = (await reader.ask("ms.QueryMessages", {"dialogId": talk, "maxQuantity": 0}))["body"]
    assert none == []


@pytest.mark.asyncio(loop_scope="module")
async def test_who_speaks_at_once_is_heard_by_everybody_in_one_order(cast: Cast) -> None:
    """Nobody sees n + 1 before n, on no version. Source: docs/protocol.md 6."""
    consumer, manager, old = (
        await cast.connect("consumer"),
        await cast.connect("manager"),
        await cast.connect("bot", "2"),
    )
    talk = await cast.talk(consumer)
    await cast.join(manager, talk, "MANAGER")
    await cast.join(old, talk, "MANAGER")
    await consumer.ask("ms.SubscribeMessagingEvents", {"dialogId": talk})
    poured = await asyncio.gather(*(pour(socket, talk, 60) for socket in (consumer, manager, old)))
    assert sorted(itertools.chain(*poured)) == list(range(180))
    assert (await heard(consumer, 180))[0] == list(range(180))
    for socket in (manager, old):
        told = [(await socket.note("OnlineEventDistribution"))["sequence"] for _ in range(180)]
        assert told == list(range(180))


@pytest.mark.asyncio(loop_scope="module")
async def test_events_keep_their_place_while_their_conversation_changes_under_them(cast: Cast) -> None:
    consumer, manager = await cast.connect("consumer"), await cast.connect("manager")
    talk = await cast.talk(consumer)
    await cast.join(manager, talk, "MANAGER")

    async def change_a_lot() -> None:
        for number in range(15):
            answer = await update(manager, talk, {"field": "Note", "note": str(number)})
            assert answer["code"] == 200

    poured, _ = await asyncio.gather(pour(consumer, talk, 150), change_a_lot())
    assert poured == list(range(150))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_close_ends_what_is_published_behind_it(cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    body = {"dialogId": talk, "event": TEXT}
    close = {"conversationId": talk, "conversationField": CLOSE}
    for number, (type_name, sent) in enumerate(
        [("ms.PublishEvent", body), ("cm.UpdateConversationField", close), ("ms.PublishEvent", body)]
    ):
        await consumer.send({"id": number, "type": type_name, "body": sent})
    answers = [await consumer.take(lambda frame: frame["kind"] == "resp") for _ in range(3)]
    assert [answer["code"] for answer in answers] == [200, 200, 400]
