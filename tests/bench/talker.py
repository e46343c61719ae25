"""A socket to set things up with: it asks in JSON and waits for answers."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import msgspec

from bench.frames import frame, handshake, split

PATIENCE_SECONDS = 60


class SocketClosed(Exception):
    """The server closed a socket that we still needed."""


class Refused(Exception):
    """The server answered a request of the set-up with a code of 400 or more."""


class Talker(asyncio.Protocol):
    """A socket that asks and waits for the answer; notifications are kept for whoever looks for them."""

    def __init__(self, opening: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.opened: asyncio.Future[None] = loop.create_future()
        self.notifications: deque[dict[str, Any]] = deque(maxlen=10_000)
        self.rest = b""
        self._opening = opening
        self._upgraded = False
        self._answers: deque[asyncio.Future[dict[str, Any]]] = deque()
        self._arrival: asyncio.Event = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._opening)

    def connection_lost(self, exc: Exception | None) -> None:
        failure = SocketClosed(str(exc or "closed by the server"))
        expected: list[asyncio.Future[Any]] = [self.opened, *self._answers]
        for waiting in expected:
            if not waiting.done():
                waiting.set_exception(failure)
                waiting.exception()

    def data_received(self, data: bytes) -> None:
        self.rest += data
        if not self._upgraded and not self._upgrade():
            return
        payloads, self.rest = split(self.rest)
        for payload in payloads:
            if payload:
                self._take(msgspec.json.decode(payload))

    def _upgrade(self) -> bool:
        head, found, rest = self.rest.partition(b"\r\n\r\n")
        if not found:
            return False
        self.rest, self._upgraded = rest, True
        if head.startswith(b"HTTP/1.1 101"):
            self.opened.set_result(None)
        else:
            self.opened.set_exception(Refused(head.split(b"\r\n", 1)[0].decode()))
            self.transport.abort()
        return head.startswith(b"HTTP/1.1 101")

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("kind") == "resp":
            waiting = self._answers.popleft()
            if not waiting.done():
                waiting.set_result(message)
        else:
            self.notifications.append(message)
            self._arrival.set()

    def send(self, request_type: str, body: object) -> asyncio.Future[dict[str, Any]]:
        """Send a request; its answer comes in order, so the oldest waiting future takes it."""
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers.append(waiting)
        self.transport.write(frame(msgspec.json.encode(request(request_type, body))))
        return waiting

    async def ask(self, request_type: str, body: object) -> Any:
        """Return the body of the answer. Raises Refused."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await self.send(request_type, body)
        if answer["code"] >= 400:
            raise Refused(f"{request_type}: {answer}")
        return answer.get("body")

    async def notified(self) -> dict[str, Any]:
        """Return the next notification, waiting for it if need be."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.notifications:
                self._arrival.clear()
                await self._arrival.wait()
        return self.notifications.popleft()

    def close(self) -> None:
        self.transport.abort()


def request(request_type: str, body: object, request_id: str = "1") -> dict[str, object]:
    return {"kind": "req", "id": request_id, "type": request_type, "body": body}


async def open_talker(
    address: tuple[str, int], path: str, authorization: str = "", source: str | None = None
) -> Talker:
    """Open a socket; `source` is the loopback address to come from, when one address has too few ports."""
    host, port = address
    opening = handshake(f"{host}:{port}", path, authorization)
    local = (source, 0) if source else None
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, talker = await asyncio.get_running_loop().create_connection(
            lambda: Talker(opening), host, port, local_addr=local
        )
        await talker.opened
    return talker
