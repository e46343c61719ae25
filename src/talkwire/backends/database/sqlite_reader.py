"""A look into the file of an embedded database, also while a server holds it."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from talkwire.backends.database.port import Row
from talkwire.backends.database.sqlite_connection import connect, refusal_of, rewrite
from talkwire.kernel.errors import Unavailable


class SqliteReader:
    """Reads one statement at a time, each on its own snapshot: nothing is held up by it for long."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()
        self._connection: sqlite3.Connection | None = None

    async def read(self, sql: str, *args: object) -> Sequence[Row]:
        """Raises Unavailable: there is no such file, or no such table yet."""
        async with self._lock:
            try:
                return await asyncio.to_thread(self._read, sql, args)
            except sqlite3.Error as error:
                raise refusal_of(error) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _read(self, sql: str, args: tuple[object, ...]) -> Sequence[Row]:
        if self._connection is None:
            if not self._path.is_file():
                raise Unavailable(f"There is no {self._path}")
            self._connection = connect(self._path, read_only=True)
        return self._connection.execute(rewrite(sql), args).fetchall()
