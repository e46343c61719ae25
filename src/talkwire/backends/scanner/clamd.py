"""ClamAV's daemon, asked over a Unix socket or TCP with its own protocol: `zINSTREAM`, sized chunks, a verdict.

Each scan is a connection of its own, as clamd wants it. See clamd(8), "COMMANDS".
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from socket import AF_UNIX, SOCK_STREAM, socket
from struct import Struct
from typing import Any, Self

from talkwire.backends.scanner.port import CLEAN, NoAnswer, ScannerDown, Unscannable, Verdict

SCANS_AT_ONCE = 8
CONNECT_SECONDS = 5.0
SCAN_SECONDS = 30.0
ANSWER_BYTES = 4096

TOO_LONG = "INSTREAM size limit exceeded"
OWN_TROUBLE = (
    "Broken or not a CVD",
    "Can't ",
    "Malformed database",
    "Mutex lock failed",
    "Null argument",
    "Scanner still active",
    "Version mismatch",
)
OF_THE_BYTES = ("Can't parse data", "Can't unpack")
"""How it words that it has no memory, no disk, no signatures: then nothing is said of the bytes, with two
exceptions. Any other error is about them. Source: libclamav, `cl_strerror`.
"""

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
        connection = await self._connect()
        silence: type[ScannerDown] = ScannerDown
        try:
            async with asyncio.timeout(self._scan_seconds):
                if await _said(connection, command, chunks):
                    silence = NoAnswer
                answer = await _answer(connection)
        except TimeoutError:
            raise silence(f"clamd did not answer in {self._scan_seconds:g} s") from None
        finally:
            connection.close()
        if answer is None:
            raise silence("clamd hung up without an answer")
        return answer

    async def _connect(self) -> socket:
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await _connected(self._address)
        except TimeoutError:
            raise ScannerDown(f"No clamd at {self._address}: it does not answer") from None
        except OSError as error:
            raise ScannerDown(f"No clamd at {self._address}: {error}") from error


async def _connected(address: ClamdAddress) -> socket:
    """A plain socket: what clamd says before it hangs up can be read from it even when sending fails."""
    loop = asyncio.get_running_loop()
    if address.path:
        return await _dialled(AF_UNIX, address.path)
    failed: OSError = OSError("the name stands for no address")
    for family, _, _, _, where in await loop.getaddrinfo(address.host, address.port, type=SOCK_STREAM):
        try:
            return await _dialled(family, where)
        except OSError as error:
            failed = error
    raise failed


async def _dialled(family: int, where: Any) -> socket:
    made = socket(family, SOCK_STREAM)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, where)
    except BaseException:
        made.close()
        raise
    return made


async def _said(connection: socket, command: bytes, chunks: AsyncIterator[bytes] | None) -> bool:
    """Whether it took everything."""
    if not await _sent(connection, command):
        return False
    if chunks is None:
        return True
    async for chunk in chunks:
        # an empty one would end it, with the rest unseen
        if chunk and not await _sent(connection, _SIZE.pack(len(chunk)), chunk):
            return False  # it has hung up: the answer says why
    return await _sent(connection, _END)


async def _answer(connection: socket) -> bytes | None:
    """None when it hangs up before the end of one, or says far too much."""
    answer = b""
    while not answer.endswith(b"\0"):
        part = await _heard(connection)
        if not part or len(answer) + len(part) > ANSWER_BYTES:
            return None
        answer += part
    return answer.rstrip(b"\0").strip()


async def _sent(connection: socket, *parts: bytes) -> bool:
    """Whether it still listens."""
    try:
        for part in parts:
            await asyncio.get_running_loop().sock_sendall(connection, part)
    except OSError:
        return False
    return True


async def _heard(connection: socket) -> bytes:
    try:
        return await asyncio.get_running_loop().sock_recv(connection, ANSWER_BYTES)
    except OSError:
        return b""


def verdict_of(answer: bytes) -> Verdict:
    """Read `stream: OK` or `stream: NAME FOUND`. Raises Unscannable, ScannerDown."""
    text = answer.decode("utf-8", "replace")
    if text == "stream: OK":
        return CLEAN
    if text.startswith("stream: ") and text.endswith(" FOUND"):
        return Verdict(clean=False, name=text.removeprefix("stream: ").removesuffix(" FOUND"))
    words = text.removesuffix("ERROR").rstrip(" .")
    if words.startswith(TOO_LONG):
        raise Unscannable(words)
    if words.startswith("stream: ") and text.endswith("ERROR"):
        words = words.removeprefix("stream: ")
        if not words.startswith(OWN_TROUBLE) or words.startswith(OF_THE_BYTES):
            raise Unscannable(words)
    raise ScannerDown(f"clamd says {text[:100]!r}")
