"""Reading an SQLite file beside its writer: a few threads, each with a connection of its own."""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

from talkwire.backends.database.port import Row
from talkwire.backends.database.sqlite_connection import connect, hits_everyone, refusal_of, rewrite


class SqliteReaders:
    """Opened by what they first read, closed by `close`, which blocks."""

    def __init__(self, path: Path, count: int, name: str) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._of_thread = local()
        self._connections: list[sqlite3.Connection] = []

    async def read(self, sql: str, args: tuple[object, ...]) -> Sequence[Row]:
        """Raises Unavailable, StorageFull."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, sql, args)

    def close(self) -> None:
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _read(self, sql: str, args: tuple[object, ...]) -> Sequence[Row]:
        try:
            connection = getattr(self._of_thread, "connection", None)
            if connection is None:
                connection = self._of_thread.connection = connect(self._path, read_only=True)
                self._connections.append(connection)
            return connection.execute(rewrite(sql), args).fetchall()
        except sqlite3.Error as error:
            if hits_everyone(error):
                raise refusal_of(error) from error
            raise
