"""Ridding a SQLite file of what was deleted or replaced: its log emptied, its gaps overwritten."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from talkwire.backends.database.queue import taken
from talkwire.backends.database.sqlite_checkpoint import copy_log, empty_log, impatient
from talkwire.backends.database.sqlite_gaps import Gaps, NotOurs
from talkwire.kernel.errors import Unavailable

SCRUB_SECONDS = 20.0
PAUSE_SECONDS = 0.1
CLEAR_SECONDS = 0.005
"""Everybody's publish waits while gaps are overwritten: so long at a time, and the emptying of the log."""

Errand = Callable[[], Sequence[int]]
"""Done while nobody writes; gives what it did not come to."""

_log = logging.getLogger(__name__)


class Scrubber:
    """Runs errands in the writer's thread, between two transactions, right after the log was emptied."""

    def __init__(self, path: Path, turn: Callable[[], Awaitable[None]]) -> None:
        """`turn` waits until the writer has come by once."""
        self._path = path
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Errand, asyncio.Future[Sequence[int] | None]]] = deque()
        self._gaps: Gaps | None = None

    async def scrub(self) -> None:
        """Raises Unavailable when somebody reads old rows for too long (a backup under way), or the disk fails."""
        await self._when_empty(self._open)
        assert self._gaps is not None
        try:
            left: Sequence[int] = await asyncio.to_thread(self._gaps.find)
            while left:
                left = await self._when_empty(partial(self._gaps.clear, left, CLEAR_SECONDS))
                await asyncio.to_thread(self._gaps.sync)  # here, where nobody waits
        except NotOurs as error:
            _log.warning("Old bytes stay between the rows of %s: %s.", self._path.name, error)
        except OSError as error:
            raise Unavailable("The database's file cannot be read or written now.") from error

    def tidy(self, writer: sqlite3.Connection) -> bool:
        """Called by the writer between two transactions; whether there was anything to do. Never raises."""
        waiting = taken(self._waiting)
        if not waiting:
            return False
        given: Sequence[Sequence[int] | None] = [None] * len(waiting)
        try:
            if empty_log(writer):
                given = self._while_nobody_writes(writer, [errand for errand, _ in waiting]) or given
        except (sqlite3.Error, OSError, NotOurs) as error:
            _log.warning("A scrub was broken off, and will be tried again: %s", error)
        self._loop.call_soon_threadsafe(_answer, [done for _, done in waiting], given)
        return True

    def close(self) -> None:
        """After SQLite's own descriptors."""
        if self._gaps is not None:
            self._gaps.close()

    def _while_nobody_writes(
        self, writer: sqlite3.Connection, errands: Sequence[Errand]
    ) -> Sequence[Sequence[int]] | None:
        """Do them under SQLite's write lock; None when another process wrote since the log was emptied."""
        with impatient(writer):
            writer.execute("BEGIN IMMEDIATE")
        try:
            return [errand() for errand in errands] if self._is_log_empty() else None
        finally:
            writer.execute("ROLLBACK")
            writer.execute("PRAGMA shrink_memory").fetchall()  # its pages would write the gaps back

    def _is_log_empty(self) -> bool:
        try:
            return Path(f"{self._path}-wal").stat().st_size == 0
        except FileNotFoundError:
            return True

    def _open(self) -> Sequence[int]:
        self._gaps = self._gaps or Gaps(self._path)
        return ()

    async def _when_empty(self, errand: Errand) -> Sequence[int]:
        until = self._loop.time() + SCRUB_SECONDS
        while True:
            await asyncio.to_thread(self._copy_log)
            done: asyncio.Future[Sequence[int] | None] = self._loop.create_future()
            self._waiting.append((errand, done))
            await self._turn()
            given = await done
            if given is not None:
                return given
            if self._loop.time() > until:
                raise Unavailable("The database is being read; its log cannot be emptied now.")
            await asyncio.sleep(PAUSE_SECONDS)

    def _copy_log(self) -> None:
        try:
            copy_log(self._path)
        except sqlite3.Error as error:
            _log.warning("A checkpoint failed, and will be tried again: %s", error)


def _answer(
    waiting: "list[asyncio.Future[Sequence[int] | None]]", given: Sequence[Sequence[int] | None]
) -> None:
    for future, result in zip(waiting, given, strict=True):
        if not future.done():
            future.set_result(result)
