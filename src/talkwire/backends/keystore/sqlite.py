"""The embedded key store: SQLite in a private file, from which deleted keys vanish byte by byte."""

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

from talkwire.backends.database.migrations import bring_forward, list_migrations
from talkwire.backends.database.port import Row, T, Transaction, Unit
from talkwire.backends.database.queue import Entry, WriteQueue, taken
from talkwire.backends.database.sqlite_checkpoint import Checkpointer, answer, empty_log
from talkwire.backends.database.sqlite_connection import (
    connect,
    lock_file,
    refusal_of,
)
from talkwire.backends.database.sqlite_readers import SqliteReaders
from talkwire.backends.database.sqlite_writer import SqliteWriter
from talkwire.backends.keystore.sqlite_compacting import compact
from talkwire.kernel.clock import SystemClock
from talkwire.kernel.errors import Unavailable

FILE_NAME = "keys.db"
READERS = 2
SHRED_SECONDS = 10.0
SHRED_PAUSE_SECONDS = 0.05
WORDS = {"{identity}": "INTEGER PRIMARY KEY AUTOINCREMENT", "BYTEA": "BLOB"}


class SqliteKeyStore:
    """`KeyStore` in one file of this process alone. Made with `open`.

    What is overwritten is overwritten in its place (the migration says why that holds). What the write-ahead
    log holds of it goes when the log is copied into the file and cut to nothing, which `shred` waits for: the
    writer does that between two transactions, once for all that wait.
    """

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._shredding: deque[asyncio.Future[bool]] = deque()  # added to by the loop, emptied by the writer
        self._queue = WriteQueue(start=self._wake)
        self._checkpointer = Checkpointer(path)
        connect_securely = partial(connect, path, secure_delete=True)
        self._writer = SqliteWriter(connect_securely, self._queue.take, self._hand_back, self._tidy)
        self._readers = SqliteReaders(path, READERS, "talkwire-keys")

    @classmethod
    async def open(cls, folder: Path) -> "SqliteKeyStore":
        """Open `keys.db` in a folder that is there, or make it. Raises DatabaseInUse, Unavailable."""
        path = folder / FILE_NAME
        lock = lock_file(path)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's other files take over its mode
            await asyncio.to_thread(compact, path)
            return cls(path, lock)
        except sqlite3.Error as error:
            lock.close()
            raise refusal_of(error) from error
        except BaseException:
            lock.close()
            raise

    async def write(self, unit: Unit[T]) -> T:
        return await self._queue.write(unit)

    async def shred(self, unit: Unit[T]) -> T:
        result = await self._queue.write(unit)
        until = self._loop.time() + SHRED_SECONDS
        while not await self._empty_log():
            if self._loop.time() > until:
                raise Unavailable("The key store is being read; what was destroyed is in its log yet.")
            await asyncio.sleep(SHRED_PAUSE_SECONDS)
        return result

    async def read(self, sql: str, *args: object) -> Sequence[Row]:
        return await self._readers.read(sql, args)

    async def migrate(self) -> None:
        migrations = list_migrations(WORDS, "talkwire.backends.keystore")

        async def unit(tx: Transaction) -> list[str]:
            return await bring_forward(tx, migrations, SystemClock().now_ms())

        await self.write(unit)

    async def close(self) -> None:
        await self._queue.close()
        await asyncio.to_thread(self._let_go)

    async def _empty_log(self) -> bool:
        emptied: asyncio.Future[bool] = self._loop.create_future()
        self._shredding.append(emptied)
        await self._queue.write(_nothing)  # the writer tidies after it
        return await emptied

    def _wake(self) -> None:
        self._writer.wake()

    def _let_go(self) -> None:
        self._readers.close()
        self._checkpointer.stop()
        self._writer.stop()
        self._lock.close()

    def _hand_back(self, batch: list[Entry], *, idle: bool) -> None:
        self._loop.call_soon_threadsafe(partial(self._queue.settle, batch, idle=idle))

    def _tidy(self, writer: sqlite3.Connection) -> None:
        """Called by the writer between two transactions."""
        if waiting := taken(self._shredding):
            self._loop.call_soon_threadsafe(answer, waiting, empty_log(writer))
        else:
            self._checkpointer.committed(writer)


async def _nothing(tx: Transaction) -> None:
    """A commit of nothing, which costs no sync."""
