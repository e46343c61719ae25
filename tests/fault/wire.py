"""Sockets and calls of a client whose server may go at any moment.

An answer that was read counts, even when the server is dead by then; what was not answered is `Gone`.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from live import Live

PATIENCE_SECONDS = 20
IDEMPOTENCY_KEY = ".talkwire.IdempotencyKey"

Json = dict[str, Any]


class Gone(Exception):
    """The server went before it answered."""


class Refused(AssertionError):
    """The server said no to what it should have done."""


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Ask again and again until it holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 -- the other side is another process
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Answer:
    code: int
    body: Any

    @property
    def is_ok(self) -> bool:
        return self.code < 400

    def expect(self) -> Any:
        """The body of an answer that may not be a refusal. Raises Refused."""
        if not self.is_ok:
            raise Refused(self)
        return self.body


@dataclass(frozen=True)
class Line:
    """How to reach the server of this round. `answered` is called once for every answer that was read."""

    live: Live
    http: aiohttp.ClientSession
    answered: Callable[[], None] = field(default=lambda: None)

    def url(self, path: str) -> str:
        return f"http://{self.live.env['LP_HTTP']}{path}"

    def storage_url(self, path: str) -> str:
        """Where discovery sends clients with their files."""
        return f"http://{self.live.env['LP_SWIFT_HTTP']}{path}"

    def account_url(self, rest: str) -> str:
        return self.url(f"/api/account/{self.live.account}/{rest}")

    async def call(self, method: str, url: str, **options: Any) -> tuple[int, bytes]:
        """Status and body of a call over HTTP. Raises Gone."""
        try:
            async with self.http.request(method, url, **options) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise Gone(str(error)) from None
        self.answered()
        return answer.status, body

    async def put(self, slot: Json, data: bytes) -> int:
        """PUT to an upload slot; the status. Raises Gone."""
        status, _ = await self.call(
            "PUT", self.storage_url(slot["relativePath"]), params=slot["queryParams"], data=data
        )
        return status

    async def get(self, slot: Json) -> bytes:
        """GET by a download URL. Raises Gone, AssertionError."""
        status, body = await self.call(
            "GET", self.storage_url(slot["relativePath"]), params=slot["queryParams"]
        )
        assert status == 200, (status, body[:200], slot["relativePath"])
        return body

    async def is_ready(self) -> bool:
        return (await self.call("GET", self.url("/readyz")))[0] == 200

    async def metric(self, name: str) -> float:
        """What the server counts under a name, over all labels."""
        _, body = await self.call("GET", self.url("/metrics"))
        found = [line for line in body.decode().splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    async def sign_up(self) -> str:
        status, body = await self.call("POST", self.account_url("signup"))
        if status != 200:
            raise Refused(status, body)
        return str(json.loads(body)["jwt"])

    async def log_in(self, who: str) -> Json:
        """Sign in as `who` of demo.env: `"AGENT_"`, `""` for the administrator."""
        env = self.live.env
        credentials = {"username": env[f"LP_{who}USER"], "password": env[f"LP_{who}PASS"]}
        status, body = await self.call("POST", self.account_url("login?v=1.3"), json=credentials)
        assert status == 200, (status, body)
        answer: Json = json.loads(body)
        return answer


@asynccontextmanager
async def line_to(live: Live, answered: Callable[[], None] = lambda: None) -> AsyncIterator[Line]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        yield Line(live, http, answered)


class Socket:
    """One socket; requests may be pipelined. Notifications go to `heard`."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, line: Line, heard: Callable[[Json], None]
    ) -> None:
        self._socket = socket
        self._line = line
        self._heard = heard
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._reader = asyncio.create_task(self._read())

    @property
    def close_code(self) -> int | None:
        return self._socket.close_code

    async def send(
        self, type_: str, body: Any = None, *, key: str = "", metadata: Sequence[Json] = ()
    ) -> asyncio.Future[Answer]:
        """Send a request; the answer comes later, or Gone."""
        request: Json = {"kind": "req", "id": str(next(self._ids)), "type": type_, "body": body or {}}
        if key:
            request["headers"] = [{"type": IDEMPOTENCY_KEY, "key": key}]
        if metadata:
            request["metadata"] = list(metadata)
        if self._reader.done():
            raise Gone("closed")
        answer = self._waiting[request["id"]] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_seen)
        try:
            await self._socket.send_str(json.dumps(request))
        except (ConnectionError, aiohttp.ClientError) as error:
            raise Gone(str(error)) from None
        return answer

    async def ask(self, type_: str, body: Any = None, *, key: str = "") -> Answer:
        """Send a request and wait for its answer. Raises Gone."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await (await self.send(type_, body, key=key))

    async def closed(self) -> int | None:
        """Wait for the end; the code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.wait([self._reader])
        return self._socket.close_code

    async def close(self) -> None:
        await self._socket.close()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._take(json.loads(frame.data))
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Gone("closed"))

    def _take(self, message: Json) -> None:
        if message["kind"] != "resp":
            self._heard(message)
            return
        answer = self._waiting.pop(message["reqId"])
        if not answer.done():
            answer.set_result(Answer(message["code"], message.get("body")))
        self._line.answered()


def _seen(answer: asyncio.Future[Answer]) -> None:
    """Nobody has to look at an answer that never came."""
    if not answer.cancelled():
        answer.exception()


async def open_socket(
    line: Line, rest: str, *, jwt: str = "", heard: Callable[[Json], None] = lambda _: None
) -> Socket:
    """A socket at `consumer?v=3` (with its jwt) or `brand/<bearer>?v=2.1`. Raises Gone."""
    url = line.url(f"/ws_api/account/{line.live.account}/messaging/{rest}")
    headers = {"Authorization": f"jwt {jwt}"} if jwt else {}
    try:
        socket = await line.http.ws_connect(url, headers=headers, max_msg_size=0)
    except aiohttp.WSServerHandshakeError as error:
        raise Refused(f"refused with {error.status}: {rest[:20]}") from None
    except (aiohttp.ClientError, ConnectionError) as error:
        raise Gone(str(error)) from None
    return Socket(socket, line, heard)
