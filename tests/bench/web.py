"""Plain HTTP/1.1 over one kept connection, as light as the figures about files need it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import msgspec

PATIENCE_SECONDS = 60


class HttpFailed(Exception):
    """An answer with a code that the bench did not expect."""


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    pieces: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def size_bytes(self) -> int:
        return sum(len(piece) for piece in self.pieces)

    def header(self, name: str) -> str:
        """Return a header's value, or nothing."""
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found.decode().lower() == name.lower():
                return value.strip().decode()
        return ""


class Connection(asyncio.Protocol):
    """One request at a time; large bodies are collected as pieces, not copied on each arrival."""

    def __init__(self, host: str) -> None:
        self.transport: asyncio.Transport
        self._host = host
        self._waiting: asyncio.Future[Answer] | None = None
        self._head = b""
        self._pieces: list[bytes] = []
        self._missing = -1  # bytes of the body still to come; -1 while the head is not complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(HttpFailed(f"connection lost: {exc}"))

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting, self._head, self._pieces, self._missing = waiting, b"", [], -1
        head = "\r\n".join([*lines, "", ""]).encode()
        self.transport.write(head + body if len(body) < 65_536 else head)
        if len(body) >= 65_536:
            self.transport.write(body)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await waiting

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = head
            self._missing = _length_of(head)
        self._pieces.append(data)
        self._missing -= len(data)
        if self._missing <= 0 and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(int(self._head[9:12]), self._head, tuple(self._pieces)))

    async def call(
        self, method: str, path: str, body: object = None, bearer: str = "", **headers: str
    ) -> Any:
        """Send and receive JSON. Raises HttpFailed on a status of 400 or more."""
        extra = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if bearer:
            extra["Authorization"] = f"Bearer {bearer}"
        payload = b"" if body is None else msgspec.json.encode(body)
        answer = await self.request(method, path, payload, extra)
        if answer.status >= 400:
            raise HttpFailed(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
        return msgspec.json.decode(answer.body) if answer.body else None

    def close(self) -> None:
        self.transport.abort()


def _length_of(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    if at < 0:
        raise HttpFailed(f"no Content-Length: {head!r}")
    return int(head[at + 15 :].split(b"\r\n", 1)[0])


async def connect(address: tuple[str, int], source: str | None = None) -> Connection:
    host, port = address
    local = (source, 0) if source else None
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(f"{host}:{port}"), host, port, local_addr=local
    )
    return connection
