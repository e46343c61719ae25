"""The embedded database: SQLite in one file, written by one thread, read by a few."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from talkwire.backends.database.migrations import bring_forward, list_migrations
from talkwire.backends.database.port import Append, Row, T, Transaction, Unit
from talkwire.backends.database.queue import CommitHeard, Entry, WriteQueue
from talkwire.backends.database.sqlite_checkpoint import Checkpointer
from talkwire.backends.database.sqlite_connection import (
    connect,
    lock_file,
    refusal_of,
)
from talkwire.backends.database.sqlite_readers import SqliteReaders
from talkwire.backends.database.sqlite_scrub import Scrubber
from talkwire.backends.database.sqlite_writer import SqliteWriter
from talkwire.kernel.clock import SystemClock

READERS = 3
WORDS = {
    "{identity}": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "{clustered}": "WITHOUT ROWID",
    "BYTEA": "BLOB",
}


class SqliteDatabase:
    """`Database` in one file of this process alone. Made with `open`."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._queue = WriteQueue(start=self._wake)
        self._checkpointer = Checkpointer(path)
        self._scrubber = Scrubber(path, self._turn)
        connect_securely = partial(connect, path, secure_delete=True)
        self._writer = SqliteWriter(connect_securely, self._queue.take, self._hand_back, self._tidy)
        self._readers = SqliteReaders(path, READERS, "talkwire-reader")
        self.append: Callable[[Append], None] = self._queue.append

    @classmethod
    async def open(cls, path: Path) -> "SqliteDatabase":
        """Open the file, or make it. Raises DatabaseInUse."""
        lock = lock_file(path)
        try:
            return cls(path, lock)
        except sqlite3.Error as error:
            lock.close()
            raise refusal_of(error) from error
        except BaseException:
            lock.close()
            raise

    async def write(self, unit: Unit[T], then: Callable[[T], None] | None = None) -> T:
        return await self._queue.write(unit, then)

    async def read(self, sql: str, *args: object) -> Sequence[Row]:
        return await self._readers.read(sql, args)

    async def migrate(self) -> None:
        migrations = list_migrations(WORDS)

        async def unit(tx: Transaction) -> list[str]:
            return await bring_forward(tx, migrations, SystemClock().now_ms())

        await self.write(unit)

    async def scrub(self) -> None:
        """As `port.Scrubs`: deleted rows are zeros already, the write-ahead log and what lies between rows go here.

        Raises Unavailable when somebody reads old rows for too long (a backup under way).
        """
        await self._scrubber.scrub()

    def on_commit(self, heard: CommitHeard) -> None:
        """Be told of every commit: how many events, how many seconds."""
        self._writer.commit_heard = heard

    async def close(self) -> None:
        await self._queue.close()
        await asyncio.to_thread(self._let_go)

    async def _turn(self) -> None:
        await self._queue.write(_nothing)  # the writer tidies after it

    def _tidy(self, writer: sqlite3.Connection) -> None:
        """Called by the writer between two transactions."""
        if not self._scrubber.tidy(writer):
            self._checkpointer.committed(writer)

    def _wake(self) -> None:
        self._writer.wake()

    def _let_go(self) -> None:
        self._readers.close()
        self._checkpointer.stop()
        self._writer.stop()
        self._scrubber.close()
        self._lock.close()

    def _hand_back(self, batch: list[Entry], *, idle: bool) -> None:
        self._loop.call_soon_threadsafe(partial(self._queue.settle, batch, idle=idle))


async def _nothing(tx: Transaction) -> None:
    """A commit of nothing, which costs no sync."""
