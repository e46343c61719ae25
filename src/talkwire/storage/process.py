"""The life of the storage process, from the server's side: started, heard, started again, drained."""

import asyncio
import contextlib
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from talkwire.kernel.errors import Unavailable
from talkwire.storage.answering import Answering, Counter
from talkwire.storage.link import Link
from talkwire.storage.wire import Begin, Drain

log = structlog.get_logger()

READY_SECONDS = 30.0
PONG_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
_MISSES = 6
"""Pings in a row that are not answered, spread over our patience. Counted, since we may have stood still ourselves."""

_SHORTEST_WAIT, _LONGEST_WAIT = 0.05, 5.0
"""Seconds before a process that ended by itself is started again: doubled, until one lived for the longest of them."""

_ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
"""All that it is told of where it runs; secrets in the server's own environment stay there."""


class StorageProcess:
    """One process at a time. The server holds the listeners too: while there is none, clients wait in line."""

    def __init__(
        self, program: str, begin: Begin, counter: Counter, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """`program` is the module that is run; `begin` lacks the listeners, which are known when it starts.

        A process that does not answer for about `patience_seconds` is killed, and so started again.
        """
        self._program = program
        self._begin = begin
        self._counter = counter
        self._beat_seconds = patience_seconds / _MISSES
        self._listeners: tuple[socket.socket, ...] = ()
        self._process: Process | None = None
        self._link: Link | None = None
        self._answering: Answering | None = None
        self._ready = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self.starts = 0

    async def start(self, tls: Sequence[socket.socket], http: Sequence[socket.socket], **files: str) -> None:
        """Have a process that listens. `files`: `certificate` and `certificate_key`. Raises Unavailable."""
        self._listeners = (*tls, *http)
        self._begin = replace(
            self._begin,
            tls_listeners=[one.fileno() for one in tls],
            http_listeners=[one.fileno() for one in http],
            **files,
        )
        self._life = self._counter.tasks.start(self._live(), "storage: process")
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            raise Unavailable("the storage process does not start") from None

    async def stop(self, seconds: float) -> None:
        """Let it finish what is under way, and refuse who comes now. What takes longer is cut off."""
        if self._life is None:
            return
        self._life.cancel()
        for one in self._listeners:
            one.close()  # ours: while they are open clients wait in line, for nobody
        if self._link is not None:
            self._link.send(Drain())
        if self._process is not None:
            try:
                async with asyncio.timeout(seconds):
                    await self._process.wait()
            except TimeoutError:
                self._kill()
                await self._process.wait()
        self._life = None

    async def check(self) -> None:
        """Raises Unavailable while it does not listen, TimeoutError when it hangs."""
        if self._life is None:
            return
        if not self._ready.is_set() or self._answering is None:
            raise Unavailable("the storage process is starting")
        await self._answering.ping(PONG_SECONDS)

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _live(self) -> None:
        wait, now = _SHORTEST_WAIT, asyncio.get_running_loop().time
        while True:
            began = now()
            try:
                code = await self._run()
            except OSError:  # no process to be had now, or no descriptor
                log.exception("the storage process cannot be started")
                code = None
            wait = _SHORTEST_WAIT if now() - began > _LONGEST_WAIT else min(2 * wait, _LONGEST_WAIT)
            self._ready.clear()
            log.error("the storage process ended and is started again", code=code, seconds=wait)
            await asyncio.sleep(wait)

    async def _run(self) -> int:
        """One process, until it ends."""
        ours, its = socket.socketpair()
        answering = self._answering = Answering(self._counter, self._ready.set)
        try:
            with its:
                self._process = await self._spawn(its.fileno())
        except BaseException:
            ours.close()
            raise
        self.starts += 1
        answering.link = self._link = await Link.open(ours, answering.heard, answering.lost)
        self._link.send(self._begin)
        watching = self._counter.tasks.start(self._watch(answering), "storage: watch")
        try:
            return await self._process.wait()
        finally:
            watching.cancel()
            if self._process.returncode is not None:
                self._link.close()

    async def _watch(self, answering: Answering) -> None:
        """End a process that hangs: it holds its port, and clients would wait for ever."""
        await self._ready.wait()
        misses, pong_seconds = 0, min(PONG_SECONDS, self._beat_seconds / 2)
        while misses < _MISSES:
            await asyncio.sleep(self._beat_seconds - pong_seconds)
            try:
                await answering.ping(pong_seconds)
                misses = 0
            except TimeoutError:
                misses += 1
        log.error("the storage process does not answer and is killed", misses=misses)
        self._kill()

    async def _spawn(self, link: int) -> Process:
        listeners = (*self._begin.tls_listeners, *self._begin.http_listeners)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", self._program, str(link), str(os.getpid()),
            stdin=DEVNULL, stdout=DEVNULL, cwd="/", start_new_session=True, pass_fds=(link, *listeners),
            env=_ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
