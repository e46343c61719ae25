"""Every live socket of this node: found by session, swept for the silent and the expired, drained at the end."""

import asyncio
import contextlib
from collections import defaultdict
from typing import Protocol

from talkwire.gateway.connection import Connection
from talkwire.gateway.outbox import OVERRUN
from talkwire.identity.model import Principal
from talkwire.identity.sign_in import SignIn
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unauthenticated, Unavailable
from talkwire.kernel.tasks import Tasks
from talkwire.protocol.status import Close

SWEEP_SECONDS = 2.0
SWEEP_SLICE = 500
STOPPING = "server stops"


class Counts(Protocol):
    """What is counted of sockets; `ops.metrics` does."""

    def socket_opened(self, role: str) -> None: ...
    def socket_closed(self, role: str, code: int) -> None: ...
    def outbox_overran(self) -> None: ...


class Registry:
    """Who is connected."""

    def __init__(
        self,
        clock: Clock,
        sign_in: SignIn,
        tasks: Tasks,
        counts: Counts,
        *,
        idle_seconds: float,
        init_seconds: float,
    ) -> None:
        self._sign_in = sign_in
        self._tasks = tasks
        self._counts = counts
        self._clock = clock
        self._idle_ms = int(idle_seconds * 1000)
        self._init_ms = int(init_seconds * 1000)
        self._keep_alive_ms = sign_in.keep_alive_ms
        self._connections: dict[Connection, None] = {}
        self._of_session: defaultdict[str, set[Connection]] = defaultdict(set)
        self._one_left = asyncio.Event()
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: Connection) -> None:
        self._connections[connection] = None
        self._counts.socket_opened(connection.peer.role)
        who = connection.peer.who
        if who is not None and who.session_id:
            self._of_session[who.session_id].add(connection)

    def remove(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._one_left.set()
        code = connection.close_code or Close.NORMAL
        self._counts.socket_closed(connection.peer.role, code)
        if connection.close_reason == OVERRUN:
            self._counts.outbox_overran()
        who = connection.peer.who
        if who is not None and who.session_id:
            held = self._of_session[who.session_id]
            held.discard(connection)
            if not held:
                del self._of_session[who.session_id]

    def session_ended(self, session_id: str) -> None:
        """A sign-out, or a right taken away: the sockets of that session close with 4401."""
        for connection in tuple(self._of_session.get(session_id, ())):
            connection.close(Close.TOKEN_INVALID, "signed out")

    async def sweep_forever(self) -> None:
        """Close who is silent for too long, never said who it is, or whose token has run out."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            # a task of its own: what goes wrong in one round is recorded, and does not end the others
            await asyncio.wait([self._tasks.start(self._sweep(), "gateway: one sweep")])

    async def _sweep(self) -> None:
        connections = tuple(self._connections)
        for start in range(0, len(connections), SWEEP_SLICE):
            now_ms = self._clock.now_ms()
            for connection in connections[start : start + SWEEP_SLICE]:
                self._check(connection, now_ms)
            await asyncio.sleep(0)

    def _check(self, connection: Connection, now_ms: int) -> None:
        who = connection.peer.who
        if who is None:
            if now_ms - connection.opened_at_ms > self._init_ms:
                connection.close(Close.TOKEN_INVALID, "no InitConnection")
        elif who.expires_at_ms and who.expires_at_ms <= now_ms:
            code = Close.IDENTITY_EXPIRED if who.is_anonymous else Close.TOKEN_INVALID
            connection.close(code, "token expired")
        elif now_ms - connection.last_seen_ms > self._idle_ms:
            connection.close(Close.NORMAL, "idle")
        elif who.session_id and connection.last_seen_ms - connection.kept_alive_ms > self._keep_alive_ms:
            connection.kept_alive_ms = connection.last_seen_ms
            self._tasks.start(self._keep_alive(connection, who), "gateway: keep alive")

    async def _keep_alive(self, connection: Connection, who: Principal) -> None:
        """A socket in use keeps its sign-in alive, and learns what its agent may do now."""
        try:
            connection.peer.who = await self._sign_in.keep_alive(who)
        except Unauthenticated:
            connection.close(Close.TOKEN_INVALID, "signed out")
        except Unavailable:
            connection.kept_alive_ms = 0  # with the next sweep once more

    async def drain(self, seconds: float) -> None:
        """Close everybody with 1001 and wait until they are gone, or the time is up."""
        self.is_draining = True
        for number, connection in enumerate(tuple(self._connections)):
            connection.close(Close.GOING_AWAY, STOPPING)
            if number % SWEEP_SLICE == 0:
                await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._connections:
                    self._one_left.clear()
                    await self._one_left.wait()
