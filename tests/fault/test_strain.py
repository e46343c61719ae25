"""The slow and the many: they are cut or served, and others hardly notice.

How much the others notice is printed and never judged closely: the machine has other work as well.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from fault.crowd_process import CONSUMERS, crowd
from fault.probe import Probe, compared, probing
from fault.rounds import ROUNDS, end
from fault.wire import Line, Socket, line_to, open_socket
from live import Live, start_server, stop

IS_LONG = ROUNDS >= 100
CROWD = 500
SIGN_UPS = 10_000 if IS_LONG else 2_000
QUIET_SECONDS = 10.0 if IS_LONG else 2.0
PATIENCE_SECONDS = 5.0  # an answer later than this is none
SLOW_SECONDS = 10 if IS_LONG else 3
OUTBOX_BYTES = (4096 if IS_LONG else 256) * 1024
TRIES = 5
TEXTS = 700
OFFICE = {
    "TALKWIRE_SIGN_UPS_PER_MINUTE": "100000",
    "TALKWIRE_UPLOAD_SLOW_SECONDS": str(SLOW_SECONDS),
    "TALKWIRE_OUTBOX_BYTES": str(OUTBOX_BYTES),
}


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[Live, Line, Probe]]:
    """A server and a consumer on it, who must be well off in the end."""
    live = await asyncio.to_thread(start_server, folder, env=OFFICE)
    try:
        async with line_to(live) as line, probing(line) as probe:
            await probe.latencies(0.5)  # warm
            yield live, line, probe
            await probe.check()
        assert await asyncio.to_thread(stop, live) == 0
    finally:
        await end(live)


async def test_uploads_of_one_byte_a_second_are_cut_and_hold_nobody_up(tmp_path: Path) -> None:
    async with watched(tmp_path) as (live, _, probe), crowd(live, "trickling", CROWD, SLOW_SECONDS) as slow:
        quiet = await probe.latencies(QUIET_SECONDS)
        slow.go()
        async with asyncio.timeout(SLOW_SECONDS * 4 + 20):
            strained = await probe.latencies(SLOW_SECONDS * 1.5 + 1)
            ends = await slow.hear()
        print(compared(f"{CROWD} uploads at 1 byte/s", quiet, strained), ends)
        assert set(ends) <= {"HTTP/1.1 408 Request Timeout", ""}
        assert ends["HTTP/1.1 408 Request Timeout"] > CROWD / 2
        assert max(strained) < PATIENCE_SECONDS
        assert not list((live.data / "files" / "objects").glob("??/*"))


async def test_sockets_that_never_read_are_let_go_and_hold_nobody_up(tmp_path: Path) -> None:
    async with watched(tmp_path) as (live, _, probe), crowd(live, "deaf", CROWD) as deaf:
        quiet = await probe.latencies(QUIET_SECONDS)
        deaf.go()
        ended = asyncio.create_task(deaf.hear())
        strained = await probe.latencies_until(ended)
        said = ended.result()
        print(compared(f"{CROWD} sockets that never read", quiet, strained), said, "texts of 30 kB")
        assert max(strained) < PATIENCE_SECONDS
        assert said["served"] == CONSUMERS  # who reads is not cut


async def test_a_socket_that_reads_too_late_hears_1013(tmp_path: Path) -> None:
    async with watched(tmp_path) as (_, line, _probe):
        jwt = await line.sign_up()
        talker = await open_socket(line, "consumer?v=3", jwt=jwt)
        dialog_id = (await talker.ask("cm.ConsumerRequestConversation")).expect()["conversationId"]
        heard: list[int | None] = []
        while 1013 not in heard and len(heard) < TRIES:  # who reads only after two seconds hears nothing
            heard.append(await overwhelmed(line, talker, jwt, dialog_id, len(heard) * TEXTS))
        assert heard[-1] == 1013, heard
        await talker.close()


async def overwhelmed(line: Line, talker: Socket, jwt: str, dialog_id: str, from_sequence: int) -> int | None:
    """Sleep while more is said than the outbox and the kernel hold, then read to the end; the close code."""
    url = line.url(f"/ws_api/account/{line.live.account}/messaging/consumer?v=3")
    late = await line.http.ws_connect(url, headers={"Authorization": f"jwt {jwt}"}, max_msg_size=0)
    subscribe = {"dialogId": dialog_id, "fromSeq": from_sequence}
    await late.send_json({"id": "1", "type": "ms.SubscribeMessagingEvents", "body": subscribe})
    assert (await late.receive_json(timeout=20))["code"] == 200
    assert (await late.receive_json(timeout=20))["body"]["changes"] == []
    assert late._conn is not None
    transport = late._conn.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": "x" * 30_000}
    said = [
        await talker.send("ms.PublishEvent", {"dialogId": dialog_id, "event": event}) for _ in range(TEXTS)
    ]
    await asyncio.gather(*said)
    transport.resume_reading()
    while (await late.receive(timeout=20)).type is aiohttp.WSMsgType.TEXT:
        pass
    return late.close_code


async def test_thousands_of_sign_ups_hold_nobody_up(tmp_path: Path) -> None:
    async with watched(tmp_path) as (live, _, probe), crowd(live, "signing-up", SIGN_UPS) as many:
        quiet = await probe.latencies(QUIET_SECONDS)
        many.go()
        ended = asyncio.create_task(many.hear())
        strained = await probe.latencies_until(ended)
        print(compared(f"{SIGN_UPS} sign-ups", quiet, strained))
        assert ended.result() == SIGN_UPS
        assert max(strained) < PATIENCE_SECONDS
