"""ClamAV's daemon, asked over a Unix socket or TCP with its own protocol: `zINSTREAM`, sized chunks, a verdict.

Each scan is a connection of its own, as clamd wants it. See clamd(8), "COMMANDS".
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from struct import Struct
from typing import Self

from talkwire.backends.scanner.port import CLEAN, ScannerDown, Verdict

SCANS_AT_ONCE = 8
CONNECT_SECONDS = 5.0
SCAN_SECONDS = 30.0
ANSWER_BYTES = 4096

_SIZE = Struct(">I")
_END = _SIZE.pack(0)


@dataclass(frozen=True)
class ClamdAddress:
    """Where it listens: a path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `unix:/path` or `tcp:host:port`. Raises ValueError."""
        kind, _, rest = text.partition(":")
        if kind == "unix" and rest.startswith("/"):
            return cls(path=rest)
        host, _, port = rest.rpartition(":")
        if kind == "tcp" and host and port.isdecimal() and 0 < int(port) <= 65_535:  # noqa: PLR2004 -- the last port
            return cls(host=host.strip("[]"), port=int(port))
        raise ValueError(f"clamd is `unix:/path` or `tcp:host:port`, not {text!r}")

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"tcp:{self.host}:{self.port}"


class Clamd:
    """`Scanner` that asks a clamd. Holds no connection while nothing is scanned."""

    def __init__(
        self,
        address: ClamdAddress,
        *,
        scans: int = SCANS_AT_ONCE,
        connect_seconds: float = CONNECT_SECONDS,
        scan_seconds: float = SCAN_SECONDS,
    ) -> None:
        self._address = address
        self._places = asyncio.Semaphore(scans)
        self._connect_seconds = connect_seconds
        self._scan_seconds = scan_seconds

    async def scan(self, chunks: AsyncIterator[bytes]) -> Verdict:
        try:
            async with asyncio.timeout(self._scan_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise ScannerDown("clamd has more to do than it can") from None
        try:
            return verdict_of(await self._ask(b"zINSTREAM\0", chunks))
        finally:
            self._places.release()

    async def ping(self) -> None:
        answer = await self._ask(b"zPING\0")
        if answer != b"PONG":
            raise ScannerDown(f"clamd says {answer[:100]!r}")

    async def _ask(self, command: bytes, chunks: AsyncIterator[bytes] | None = None) -> bytes:
        """One command on a new connection; its answer without the zero at its end."""
        reader, writer = await self._connect()
        try:
            async with asyncio.timeout(self._scan_seconds):
                return await _converse(reader, writer, command, chunks)
        except TimeoutError:
            raise ScannerDown(f"clamd did not answer in {self._scan_seconds:g} s") from None
        finally:
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self._address
        try:
            async with asyncio.timeout(self._connect_seconds):
                if address.path:
                    return await asyncio.open_unix_connection(address.path, limit=ANSWER_BYTES)
                return await asyncio.open_connection(address.host, address.port, limit=ANSWER_BYTES)
        except TimeoutError:
            raise ScannerDown(f"No clamd at {address}: it does not answer") from None
        except OSError as error:
            raise ScannerDown(f"No clamd at {address}: {error}") from error


async def _converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    command: bytes,
    chunks: AsyncIterator[bytes] | None,
) -> bytes:
    writer.write(command)
    if chunks is not None:
        async for chunk in chunks:
            if chunk and not await _send(writer, chunk):  # an empty one would end it, with the rest unseen
                break  # it has hung up: the answer says why
        else:
            await _send(writer, b"")
    try:
        answer = await reader.readuntil(b"\0")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ScannerDown("clamd hung up without an answer") from error
    return answer.rstrip(b"\0").strip()


async def _send(writer: asyncio.StreamWriter, chunk: bytes) -> bool:
    """Whether it still listens. An empty chunk says that there are no more."""
    try:
        writer.write(_SIZE.pack(len(chunk)))
        writer.write(chunk)
        await writer.drain()
    except OSError:
        return False
    return True


def verdict_of(answer: bytes) -> Verdict:
    """Read `stream: OK` or `stream: NAME FOUND`; anything else is a fault. Raises ScannerDown."""
    text = answer.decode("utf-8", "replace")
    if text == "stream: OK":
        return CLEAN
    if text.startswith("stream: ") and text.endswith(" FOUND"):
        return Verdict(clean=False, name=text.removeprefix("stream: ").removesuffix(" FOUND"))
    raise ScannerDown(f"clamd says {text[:100]!r}")
