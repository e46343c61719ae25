"""SIGTERM: clients hear 1001, what was answered stays, and the process ends with 0 within ten seconds."""

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from live import STOP_SECONDS, Live, start_server, stop

IDS = itertools.count(1)


async def ended(live: Live) -> int:
    """The exit status, once it has stopped by itself."""
    return await asyncio.to_thread(live.process.wait, STOP_SECONDS)


async def sign_up(live: Live) -> str:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=live.trust())) as http,
        http.post(live.url("IDP", "signup")) as answer,
    ):
        jwt: str = (await answer.json())["jwt"]
    return jwt


@asynccontextmanager
async def connected(live: Live, jwt: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    headers = {"Authorization": f"jwt {jwt}"}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=live.trust())) as http,
        http.ws_connect(live.socket_url("consumer?v=3"), headers=headers) as socket,
    ):
        yield socket


async def ask(socket: aiohttp.ClientWebSocketResponse, type_: str, **body: Any) -> Any:
    """Send a request, pass over notifications, give the body of the answer."""
    id_ = str(next(IDS))
    await socket.send_json({"kind": "req", "id": id_, "type": type_, "body": body})
    while True:
        heard = await socket.receive_json(timeout=10)
        if heard.get("reqId") == id_:
            assert heard["code"] < 400, heard
            return heard["body"]


async def test_a_socket_is_closed_with_going_away(running: Live) -> None:
    async with connected(running, await sign_up(running)) as socket:
        running.process.send_signal(signal.SIGTERM)
        closing = await socket.receive(timeout=STOP_SECONDS)
        assert closing.data == 1001
    assert await ended(running) == 0


async def test_an_upload_that_hangs_does_not_hold_the_stop(running: Live) -> None:
    async with connected(running, await sign_up(running)) as socket:
        slot = await ask(socket, "ms.GenerateURLForUploadFile", fileSize=100_000, fileType="JPG")
    query = "&".join(f"{name}={value}" for name, value in slot["queryParams"].items())
    host, port = running.env["LP_HTTP"].split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"PUT {slot['relativePath']}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    writer.write(head.encode() + b"x" * 500)
    await writer.drain()
    started = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    assert await ended(running) == 0
    assert time.monotonic() - started < STOP_SECONDS
    writer.close()


async def test_what_was_answered_before_the_stop_is_there_after_it(running: Live, tmp_path: Path) -> None:
    jwt = await sign_up(running)
    async with connected(running, jwt) as socket:
        opened = await ask(socket, "cm.ConsumerRequestConversation")
        dialog = {"dialogId": opened["conversationId"]}
        for number in range(20):
            event = {"type": "ContentEvent", "contentType": "text/plain", "message": f"line {number}"}
            assert (await ask(socket, "ms.PublishEvent", **dialog, event=event))["sequence"] == number
        running.process.send_signal(signal.SIGTERM)
        assert await ended(running) == 0
    again = start_server(tmp_path / "live")
    try:
        async with connected(again, jwt) as socket:
            event = {"type": "ContentEvent", "contentType": "text/plain", "message": "after"}
            assert (await ask(socket, "ms.PublishEvent", **dialog, event=event))["sequence"] == 20
    finally:
        assert stop(again) == 0
