"""How sockets end, and what holds back who asks too much. Source: docs/protocol.md 3.8, 4.3, Appendix A8, A14, A20.

The clock of the stage is put forward, and the sweep is made to look at it often.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from protocol.raw import Raw, frame
from protocol.stage import PASSWORD, Cast, Socket, Stage, new_cast, say, staged
from talkwire.gateway import registry
from talkwire.identity.credentials import Credentials
from talkwire.identity.users import AgentChange
from talkwire.settings import Identity, Settings, Sockets

SETTINGS = Settings(
    sockets=Sockets(requests_burst=50, requests_per_second=50, outbox_bytes=256 * 1024),
    identity=Identity(consumer_token_seconds=7_200, session_idle_seconds=1_800, session_seconds=7_200),
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "SWEEP_SECONDS", 0.1)
        async with staged(tmp_path_factory.mktemp("stage"), SETTINGS) as opened:
            yield opened


@pytest.mark.asyncio(loop_scope="module")
async def test_too_many_requests_on_one_socket_are_answered_429_and_others_go_on(
    stage: Stage, cast: Cast
) -> None:
    socket, other = await cast.connect("consumer"), await cast.connect("consumer2")
    for number in range(80):
        await socket.send({"id": number, "type": "GetClock"})
    answers = [await socket.take(lambda _answer: True) for _ in range(80)]
    codes = [answer["code"] for answer in answers]
    assert codes[:50] == [200] * 50
    assert 429 in codes
    refused = next(answer for answer in answers if answer["code"] == 429)
    assert (refused["type"], refused["body"]["errorCode"]) == (".ReqBody$ErrorResp", 42901)
    assert [answer["reqId"] for answer in answers] == [str(number) for number in range(80)]
    assert (await other.ask("GetClock"))["code"] == 200
    stage.clock.advance(2)
    assert (await socket.ask("GetClock"))["code"] == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_frames_that_cannot_be_read_are_held_back_as_others_are(stage: Stage, cast: Cast) -> None:
    socket = await cast.connect("consumer")
    for number in range(80):
        await socket.send({"id": number})
    answers = [await socket.take(lambda _answer: True) for _ in range(80)]
    codes = [answer["code"] for answer in answers]
    assert codes[:50] == [400] * 50
    assert 429 in codes
    assert [answer["reqId"] for answer in answers] == [str(number) for number in range(80)]
    stage.clock.advance(0.2)
    assert (await socket.ask("GetClock"))["code"] == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_sockets_end_in_time(stage: Stage, cast: Cast) -> None:
    """The silent with 1000, the nameless with 4401; who pings or asks stays."""
    silent, asking, pinging = [await cast.connect(f"consumer{number}") for number in (1, 2, 3)]
    nameless = await cast.connect("consumer4", way="init")
    stage.clock.advance(11)
    assert await nameless.close_code() == 4401
    stage.clock.advance(50)
    await asking.ask("GetClock")
    await pinging.ws.ping()
    await asyncio.sleep(0)
    await asking.ask("GetClock")
    stage.clock.advance(45)
    assert await silent.close_code() == 1000
    assert (await asking.ask("GetClock"))["code"] == 200
    assert (await pinging.ask("GetClock"))["code"] == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_a_socket_in_use_keeps_its_sign_in_alive_however_short_the_idle_time(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(SETTINGS, identity=Identity(session_idle_seconds=60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "SWEEP_SECONDS", 0.05)
        async with staged(tmp_path, settings) as stage:
            cast = await new_cast(stage)
            asking = await cast.connect("agent", "2.1")
            for _ in range(30):  # two and a half minutes
                stage.clock.advance(5)
                assert (await asking.ask("GetClock"))["code"] == 200
                await asyncio.sleep(0.1)  # the sweep comes by
            assert not asking.ws.closed


@pytest.mark.asyncio(loop_scope="module")
async def test_a_sign_out_closes_the_sockets_of_that_session_with_4401(stage: Stage, cast: Cast) -> None:
    socket = await cast.connect("agent", "2.1")
    door = stage.node.services.sign_in
    second = await door.sign_in(cast.account, Credentials("agent", PASSWORD), "127.0.0.1")
    url = cast.url("brand", f"/{second.bearer}?v=2")
    other = await cast.dial("agent", url)
    await door.sign_out(cast.account, second.cookie, second.csrf)
    assert await other.close_code() == 4401
    assert (await socket.ask("GetClock"))["code"] == 200
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await cast.dial("agent", url)
    assert refused.value.status == 401


@pytest.mark.asyncio(loop_scope="module")
async def test_an_agent_who_is_switched_off_is_closed_with_4401(stage: Stage, cast: Cast) -> None:
    socket = await cast.connect("agent", "2.1")
    await stage.node.agents.update_user(cast.account, cast.people["agent"].pid, AgentChange(enabled=False))
    assert await socket.close_code() == 4401


@pytest.mark.asyncio(loop_scope="module")
async def test_tokens_that_run_out_end_their_sockets(stage: Stage, cast: Cast) -> None:
    """4407 for the anonymous, whom their identity service renews; 4401 for the others."""
    token = await stage.node.services.consumers.anonymous(cast.account)
    anonymous = await cast.dial(
        "anonymous", cast.url("consumer", "?v=3"), headers={"Authorization": f"jwt {token}"}
    )
    consumer, agent = await cast.connect("consumer"), await cast.connect("agent")
    stage.clock.advance(601)
    assert await anonymous.close_code() == 4407
    consumer, agent = await _again(cast, consumer), await _again(cast, agent)
    stage.clock.advance(7_200)
    assert await consumer.close_code() == 4401
    assert await agent.close_code() == 4401
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await cast.connect("consumer")
    assert refused.value.status == 401


async def _again(cast: Cast, socket: Socket) -> Socket:
    """The same client on a fresh socket: the old one is over its idle time."""
    await socket.ws.close()
    return await cast.connect(socket.name)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_that_does_not_read_is_let_go_and_the_others_hear_everything(cast: Cast) -> None:
    """Source: docs/protocol.md 3.8, 1013."""
    talker = await cast.connect("consumer")
    talk = await cast.talk(talker)
    await talker.ask("ms.SubscribeMessagingEvents", {"dialogId": talk})
    deaf = await Raw.dial(cast.url("consumer", "?v=3"), cast.people["consumer"].token, limit=1024)
    deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
    subscribe = {"id": 1, "type": "ms.SubscribeMessagingEvents", "body": {"dialogId": talk}}
    await deaf.send(frame(json.dumps(subscribe).encode()))
    node = cast.stage.node
    said = 0
    async with asyncio.timeout(20):
        while len(node.registry) > 1:
            cast.stage.clock.advance(0.1)  # or the talker's own rate holds it back
            assert (await say(talker, talk, "x" * 30_000))["body"] == {"sequence": said}
            told = await talker.take(lambda frame: bool(frame["body"].get("changes")))
            assert told["body"]["changes"][0]["sequence"] == said
            said += 1
    assert (await talker.ask("GetClock"))["code"] == 200
    deaf.reader._transport.resume_reading()  # type: ignore[attr-defined]
    assert await deaf.close_code() in {0, 1013}  # the code is for whom it still reaches
    await deaf.close()
