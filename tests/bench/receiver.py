"""A webhook receiver as light as the figures need: it answers 200 and notes what came when."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_SEQUENCE = re.compile(rb'"sequence":(\d+)')
_CONVERSATION = re.compile(rb'"conversationId":"([^"]+)"')
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Received:
    """What came: a count, the moment of each (conversation, sequence) if wanted, and what was out of order."""

    def __init__(self) -> None:
        self.count = 0
        self.moments: dict[tuple[str, int], float] = {}
        self.keeps_moments = False
        self.faults: list[str] = []
        self._next: dict[str, int] = {}

    def take(self, body: bytes) -> None:
        conversation, sequence = _CONVERSATION.search(body), _SEQUENCE.search(body)
        if conversation is None or sequence is None:
            return
        name, number = conversation[1].decode(), int(sequence[1])
        due = self._next.setdefault(name, number)
        if number > due:
            self.faults.append(f"{name}: {number} came where {due} was due")
        self._next[name] = max(due, number + 1)
        self.count += number >= due
        if self.keeps_moments:
            self.moments[name, number] = time.perf_counter()


class _Receiving(asyncio.Protocol):
    def __init__(self, received: Received) -> None:
        self._received = received
        self._heard = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while True:
            head, found, rest = self._heard.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if len(rest) < length:
                return
            self._received.take(rest[:length])
            self._heard = rest[length:]
            self._transport.write(_OK)


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, Received]]:
    """An endpoint on loopback and what it receives."""
    received = Received()
    server = await asyncio.get_running_loop().create_server(lambda: _Receiving(received), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", received
    finally:
        server.close()
