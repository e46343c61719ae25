"""Moves the bytes of WebSocket clients: handshake, frames in, frames out, the end.

Source: docs/protocol.md 3.7, 3.8, 4.1, 4.3.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from socket import SO_SNDBUF, SOL_SOCKET

from aiohttp import WSMsgType, web

from talkwire.gateway.connection import Connection
from talkwire.gateway.desks import Desks
from talkwire.gateway.frames import close_frame, pong_frame
from talkwire.gateway.outbox import OVERRUN, Outbox
from talkwire.gateway.peer import Peer, PeerLimits
from talkwire.gateway.registry import STOPPING, Registry
from talkwire.handlers.dispatch import Dispatch, Incidents
from talkwire.handlers.services import Services
from talkwire.identity.model import Principal
from talkwire.kernel.errors import Unauthenticated, Unavailable
from talkwire.kernel.ids import AccountId
from talkwire.kernel.tasks import Tasks
from talkwire.protocol import client_properties
from talkwire.protocol.catalog import BRAND, CONSUMER
from talkwire.protocol.envelope import Dialect
from talkwire.protocol.errors import BadFrame
from talkwire.protocol.status import Close

CLOSE_WAIT_SECONDS = 2.0
ANSWER_WAIT_SECONDS = 1.0
"""How long a goodbye waits for the answers to what was taken before it."""

SEND_BUFFER_BYTES = 256 * 1024
"""What the kernel may hold for one client. Left to itself it takes megabytes, and a client that does not read
would cost those before its outbox notices anything."""

_SCHEME = re.compile(r"^(?:jwt|bearer)\s*", re.IGNORECASE)  # no token of ours begins so
_FRAMES = frozenset({WSMsgType.TEXT, WSMsgType.BINARY})
_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


@dataclass(frozen=True)
class SocketLimits:
    """Bytes of one frame and of what may wait for a client."""

    frame_bytes: int = 1024 * 1024
    outbox_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True)
class Gateway:
    """The two socket endpoints."""

    services: Services
    dispatch: Dispatch
    incidents: Incidents
    desks: Desks
    registry: Registry
    tasks: Tasks
    limits: SocketLimits
    peer_limits: PeerLimits

    def routes(self) -> list[web.RouteDef]:
        base = "/ws_api/account/{account_id}/messaging"
        return [
            web.get(f"{base}/{role}{rest}", handler)
            for role, handler in ((CONSUMER, self.consumer), (BRAND, self.brand))
            for rest in ("", "/", "/{token}")
        ]

    async def consumer(self, request: web.Request) -> web.StreamResponse:
        """A consumer's socket: the JWT comes by header, in the path, or later by InitConnection."""
        socket, connection = await self._open(request, CONSUMER, await self._consumer_of(request))
        await self._live(socket, connection)
        return socket

    async def brand(self, request: web.Request) -> web.StreamResponse:
        """An agent's socket: the bearer comes in the path or by header."""
        socket, connection = await self._open(request, BRAND, await self._agent_of(request))
        await self._live(socket, connection)
        return socket

    async def _consumer_of(self, request: web.Request) -> Principal | None:
        account_id, token = self._account_of(request), _token_of(request)
        if token:
            return await self.services.consumers.principal_of_jwt(account_id, token)
        if await self.services.accounts.find(account_id) is None:
            raise Unauthenticated("No such account")
        return None

    async def _agent_of(self, request: web.Request) -> Principal:
        account_id, token = self._account_of(request), _token_of(request)
        if not token:
            raise Unauthenticated("The bearer is missing")
        return await self.services.sign_in.principal_of_bearer(account_id, token)

    def _account_of(self, request: web.Request) -> AccountId:
        if self.registry.is_draining:
            raise Unavailable("The server stops")
        return AccountId(request.match_info["account_id"])

    async def _open(
        self, request: web.Request, role: str, who: Principal | None
    ) -> tuple[web.WebSocketResponse, Connection]:
        """Shake hands. Raises ConnectionResetError when the client has gone meanwhile."""
        peer = Peer(role, _dialect_of(request, role), who, self.peer_limits, self.services.clock.now_ms())
        socket = web.WebSocketResponse(
            timeout=CLOSE_WAIT_SECONDS,
            autoping=False,
            autoclose=False,
            compress=False,
            max_msg_size=self.limits.frame_bytes,
            decode_text=False,
        )
        stream = await socket.prepare(request)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        _bound_kernel(transport)
        holder: list[Connection] = []
        outbox = Outbox(
            transport,
            asyncio.get_running_loop(),
            self.limits.outbox_bytes,
            lambda: holder[0].close(Close.TRY_AGAIN_LATER, OVERRUN),
        )
        connection = Connection(
            AccountId(request.match_info["account_id"]),
            peer,
            outbox,
            stream,
            self.services,
            self.dispatch,
            self.desks,
            self.tasks,
            request.remote or "",
            _properties_of(request),
        )
        holder.append(connection)
        return socket, connection

    async def _live(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        """From the handshake to the end. This frame lies in memory for every idle socket."""
        goodbye = _Goodbye(connection, self.tasks)
        self.registry.add(connection)
        connection.close_wanted = goodbye.say
        if self.registry.is_draining:  # it came in while the others were sent away
            connection.close(Close.GOING_AWAY, STOPPING)
        try:
            if connection.peer.who is not None:
                connection.following.begin()
            while True:
                message = await socket.receive()
                if message.type in _ENDS:
                    break
                waiting = _take(connection, message.type, message.data)
                if waiting is not None:
                    connection.is_busy = True
                    await waiting
                    connection.is_busy = False
        except Exception as error:  # noqa: BLE001 -- a bug of ours is recorded; HTTP's answer to it has no place here
            connection.close(
                Close.INTERNAL_ERROR, f"incident {self.incidents.record(error, 'gateway: socket')}"
            )
        finally:
            connection.ended()
            await goodbye.finish(socket)
            self.registry.remove(connection)


def _bound_kernel(transport: asyncio.Transport) -> None:
    under = transport.get_extra_info("socket")
    if under is not None:  # gone already
        under.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)


def _take(connection: Connection, kind: WSMsgType, data: bytes) -> Awaitable[None] | None:
    """What one message asks for; what is returned must be awaited before the next is taken."""
    if connection.close_code is not None:
        return None  # too late: our goodbye was the last that this client hears
    if kind in _FRAMES:
        return connection.receive(data)
    connection.seen()
    if kind is WSMsgType.PING:
        connection.outbox.put(pong_frame(data))
    return None


class _Goodbye:
    """The end of a socket that we ask for: said once, and waited for until the client has said it too."""

    __slots__ = ("_connection", "_over", "_task", "_tasks")

    def __init__(self, connection: Connection, tasks: Tasks) -> None:
        self._connection = connection
        self._tasks = tasks
        self._over: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    def say(self) -> None:
        if self._task is None:
            self._over = asyncio.Event()
            self._task = self._tasks.start(_say_goodbye(self._connection, self._over), "gateway: close")

    async def finish(self, socket: web.WebSocketResponse) -> None:
        """The client has stopped reading or has said its goodbye."""
        if self._task is None or self._over is None:
            await socket.close(drain=False)
            return
        self._over.set()
        await asyncio.wait([self._task])


async def _say_goodbye(connection: Connection, over: asyncio.Event) -> None:
    """Say why we close and read on until the client has said it too; one that does not is cut off.

    Dropping a connection while the client still sends would reset it, and what it has not read yet, answers
    and the close code among them, would be lost. `WebSocketResponse.close` does just that when another task
    is reading. Nothing more is taken, and what was taken is answered first: it may be on disk already, and who
    hears of no answer sends it again.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_WAIT_SECONDS):
            await connection.answered_all()
    connection.outbox.end(close_frame(connection.close_code or Close.NORMAL, connection.close_reason))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_WAIT_SECONDS):
            await over.wait()
    connection.outbox.abort()


def _token_of(request: web.Request) -> str:
    """The token of the path or of the header, whatever scheme it stands under."""
    in_path = request.match_info.get("token")
    return in_path or _SCHEME.sub("", request.headers.get("Authorization", "").strip())


def _dialect_of(request: web.Request, role: str) -> Dialect:
    """By `v`; without it a consumer speaks v3 and a brand socket v2. Raises BadFrame."""
    version = request.query.get("v") or ("3" if role == CONSUMER else "2")
    try:
        return Dialect(version.removesuffix(".0"))
    except ValueError:
        raise BadFrame("v is 2, 2.1 or 3") from None


def _properties_of(request: web.Request) -> dict[str, object]:
    header = request.headers.get("Client-Properties")
    return client_properties.of_header(header) if header else client_properties.of_query(request.query)
