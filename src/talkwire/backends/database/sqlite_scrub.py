"""Ridding a SQLite file of what was deleted or replaced: its log emptied, its gaps overwritten."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from talkwire.backends.database.sqlite_checkpoint import answer, empty_log
from talkwire.backends.database.sqlite_gaps import Gaps
from talkwire.kernel.errors import Unavailable

SCRUB_SECONDS = 20.0
PAUSE_SECONDS = 0.1
GAPS_AT_ONCE = 500
"""Everybody's publish waits while gaps are overwritten: some milliseconds."""

Errand = Callable[[], None]


class Scrubber:
    """Runs errands in the writer's thread, between two transactions, right after the log was emptied."""

    def __init__(self, path: Path, turn: Callable[[], Awaitable[None]]) -> None:
        """`turn` waits until the writer has come by once."""
        self._path = path
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Errand, asyncio.Future[bool]]] = []
        self._gaps: Gaps | None = None

    async def scrub(self) -> None:
        """Raises Unavailable when somebody reads old rows for too long (a backup under way)."""
        await self._when_empty(self._open)
        assert self._gaps is not None
        found = await asyncio.to_thread(self._gaps.find)
        for start in range(0, len(found), GAPS_AT_ONCE):
            await self._when_empty(partial(self._gaps.clear, found[start : start + GAPS_AT_ONCE]))
        await asyncio.to_thread(self._gaps.sync)

    def tidy(self, writer: sqlite3.Connection) -> bool:
        """Called by the writer between two transactions; whether there was anything to do."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return False
        is_empty = empty_log(writer)
        if is_empty:
            for errand, _ in waiting:
                errand()
            writer.execute(
                "PRAGMA shrink_memory"
            ).fetchall()  # what it holds of pages would write the gaps back
        self._loop.call_soon_threadsafe(answer, [done for _, done in waiting], is_empty)
        return True

    def close(self) -> None:
        """After SQLite's own descriptors."""
        if self._gaps is not None:
            self._gaps.close()

    def _open(self) -> None:
        self._gaps = self._gaps or Gaps(self._path)

    async def _when_empty(self, errand: Errand) -> None:
        until = self._loop.time() + SCRUB_SECONDS
        while True:
            done: asyncio.Future[bool] = self._loop.create_future()
            self._waiting.append((errand, done))
            await self._turn()
            if await done:
                return
            if self._loop.time() > until:
                raise Unavailable("The database is being read; its log cannot be emptied now.")
            await asyncio.sleep(PAUSE_SECONDS)
