"""Two at the same instant, over real sockets: exactly one wins, and what is left is whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from fault.load import id_in
from fault.wire import Answer, Json, Line, Socket, line_to, open_socket
from live import Live, serving
from pictures import pixels_of, png

RINGS = 40
SLOTS = 20


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("races")) as live:
        yield live


class Rung:
    """An agent who is online; `rings` are the offers it heard, by conversation."""

    def __init__(self) -> None:
        self.socket: Socket
        self._rings: dict[str, asyncio.Future[str]] = {}

    def ring_for(self, conversation_id: str) -> "asyncio.Future[str]":
        loop = asyncio.get_running_loop()
        return self._rings.setdefault(conversation_id, loop.create_future())

    def hear(self, notification: Json) -> None:
        if not notification["type"].endswith("RoutingTaskNotification"):
            return
        for change in notification["body"]["changes"]:
            for ring in change["result"]["ringsDetails"]:
                heard = self.ring_for(ring["convId"])
                if ring["ringState"] == "WAITING" and not heard.done():
                    heard.set_result(ring["ringId"])

    async def accept(self, ring_id: str) -> Answer:
        body = {"ringId": ring_id, "ringState": "ACCEPTED"}
        return await self.socket.ask("routing.UpdateRingState", body)


@asynccontextmanager
async def online(line: Line, who: str) -> AsyncIterator[Rung]:
    rung = Rung()
    bearer = (await line.log_in(who))["bearer"]
    rung.socket = await open_socket(line, f"brand/{bearer}?v=2.1", heard=rung.hear)
    state = {"availability": "ONLINE", "channels": ["MESSAGING"]}
    (await rung.socket.ask("routing.SetAgentState", state)).expect()
    (await rung.socket.ask("routing.SubscribeRoutingTasks", {})).expect()
    yield rung
    await rung.socket.close()


async def test_of_two_agents_who_accept_at_once_exactly_one_wins(live: Live) -> None:
    async with line_to(live) as line, online(line, "AGENT_") as one, online(line, "AGENT2_") as other:
        jwt = await line.sign_up()
        consumer = await open_socket(line, "consumer?v=3", jwt=jwt)
        for number in range(RINGS):
            opened = (await consumer.ask("cm.ConsumerRequestConversation")).expect()
            await accept_at_once(opened["conversationId"], one, other)
            close = {"field": "ConversationStateField", "conversationState": "CLOSE"}
            body = {"conversationId": opened["conversationId"], "conversationField": close}
            assert (await consumer.ask("cm.UpdateConversationField", body)).is_ok, number
        await consumer.close()


async def accept_at_once(conversation_id: str, *agents: Rung) -> None:
    async with asyncio.timeout(20):
        rings = [await agent.ring_for(conversation_id) for agent in agents]
    answers = await asyncio.gather(*(agent.accept(ring) for agent, ring in zip(agents, rings, strict=True)))
    codes = sorted(answer.code for answer in answers)
    assert codes[0] == 202, answers
    assert 400 <= codes[1] < 500, answers


async def test_of_two_puts_to_one_slot_at_once_one_wins_and_is_served_whole(live: Live) -> None:
    async with line_to(live) as line:
        jwt = await line.sign_up()
        consumer = await open_socket(line, "consumer?v=3", jwt=jwt)
        won: set[int] = set()
        for number in range(SLOTS):
            claim = {"fileSize": 300_000, "fileType": "PNG"}
            slot = (await consumer.ask("ms.GenerateURLForUploadFile", claim)).expect()
            assert id_in(jwt) in slot["relativePath"]
            bodies = [png(300, 300, seed=2 * number + each) for each in range(2)]
            statuses = await asyncio.gather(*(slowly_put(line, slot, body) for body in bodies))
            assert sorted(statuses) == [201, 401], statuses
            winner = statuses.index(201)
            won.add(winner)
            got = (await consumer.ask("ms.GenerateURLForDownloadFile", slot)).expect()
            assert pixels_of(await line.get(got)) == pixels_of(bodies[winner])
        print(f"who won: {sorted(won)}")
        await consumer.close()


async def slowly_put(line: Line, slot: Json, body: bytes) -> int:
    """In many pieces, so that both are on their way at once."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]
            await asyncio.sleep(0)

    url = line.url(slot["relativePath"])
    async with line.http.put(url, params=slot["queryParams"], data=pieces()) as answer:
        return answer.status
