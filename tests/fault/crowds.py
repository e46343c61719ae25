"""Crowds of bad company: senders of one byte a second, sockets that never read, sign-ups by the thousand."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from bench.frames import handshake
from fault.wire import Json, Line, open_socket

SLOTS_EACH = 5  # unspent slots of one consumer
CLAIM = {"fileSize": 100_000, "fileType": "PNG"}


async def slots(line: Line, count: int) -> list[Json]:
    """So many upload slots, of as many consumers as that takes."""
    found: list[Json] = []
    while len(found) < count:
        consumer = await open_socket(line, "consumer?v=3", jwt=await line.sign_up())
        for _ in range(min(SLOTS_EACH, count - len(found))):
            found.append((await consumer.ask("ms.GenerateURLForUploadFile", CLAIM)).expect())  # noqa: PERF401
        await consumer.close()
    return found


async def trickle(line: Line, slot: Json, start_seconds: float) -> str:
    """PUT at a byte a second until the server has had enough; the first line of what it said, or nothing."""
    await asyncio.sleep(start_seconds)  # a crowd does not come through the door at once
    host, port = line.live.env["LP_SWIFT_HTTP"].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    where = f"{slot['relativePath']}?{urlencode(slot['queryParams'])}"
    head = f"PUT {where} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    try:
        writer.write(head.encode())
        while True:
            writer.write(b"x")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    return (await reader.readline()).decode(errors="replace").strip()
    except ConnectionError:
        return ""
    finally:
        writer.close()


def deaf_socket(line: Line, jwt: str, dialog_id: str) -> socket.socket:
    """A consumer's socket that has subscribed to a dialog and will never read again. Blocks."""
    host, port = line.live.env["LP_HTTP"].split(":")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.settimeout(20)
    deaf.connect((host, int(port)))
    path = f"/ws_api/account/{line.live.account}/messaging/consumer?v=3"
    deaf.sendall(handshake(f"{host}:{port}", path, f"jwt {jwt}"))
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += deaf.recv(4096)
    assert heard.startswith(b"HTTP/1.1 101"), heard
    subscribe = b'{"kind":"req","id":"1","type":"ms.SubscribeMessagingEvents","body":{"dialogId":"%s"}}'
    deaf.sendall(masked(subscribe % dialog_id.encode()))
    return deaf


def masked(payload: bytes) -> bytes:
    """One client frame under 126 + 64 KiB bytes; the mask 0000 leaves the payload as it is."""
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload


@asynccontextmanager
async def deaf_sockets(
    line: Line, jwt: str, dialog_id: str, count: int
) -> AsyncIterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            opened.append(await asyncio.to_thread(deaf_socket, line, jwt, dialog_id))  # noqa: PERF401
        yield opened
    finally:
        for each in opened:
            each.close()
