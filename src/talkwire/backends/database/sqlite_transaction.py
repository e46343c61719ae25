"""What a unit sees of SQLite's writer, and how the writer steps it."""

import sqlite3
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

from talkwire.backends.database.port import AlreadyExists, Append, Ending, Endings, Row
from talkwire.backends.database.sqlite_append import LogWriter
from talkwire.backends.database.sqlite_connection import rewrite

_DUPLICATES = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}


class SqliteTransaction:
    """Its methods never suspend: the writer steps a unit from start to end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._log = LogWriter(connection)
        self._endings: Endings = {}

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        return self._execute(sql, args).fetchall()

    async def execute(self, sql: str, *args: object) -> int:
        return max(self._execute(sql, args).rowcount, 0)

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        if _may_change_dialogs(sql):
            self._log.forget()
        try:
            self._connection.executemany(rewrite(sql), rows)
        except sqlite3.IntegrityError as error:
            raise _meaning_of(error) from error

    async def append(self, entries: Sequence[Append]) -> None:
        self._log.append(entries)

    async def at_end(self, finish: Ending, item: object) -> None:
        self._endings.setdefault(finish, []).append(item)

    def append_run(self, entries: Sequence[Append]) -> None:
        """What `append` does, for the writer itself."""
        self._log.append(entries)

    def end(self) -> None:
        """Do what was left for the end: once for all units of the batch."""
        while self._endings:
            endings, self._endings = self._endings, {}
            for finish, items in endings.items():
                step(finish(self, items))

    def list_endings(self) -> Endings:
        """What is left for the end so far."""
        return {finish: list(items) for finish, items in self._endings.items()}

    def forget(self, endings: Endings | None = None) -> None:
        """Something was rolled back, to where this was left for the end."""
        self._log.forget()
        self._endings = endings or {}

    def _execute(self, sql: str, args: tuple[object, ...]) -> sqlite3.Cursor:
        if _may_change_dialogs(sql):
            self._log.forget()
        try:
            return self._connection.execute(rewrite(sql), args)
        except sqlite3.IntegrityError as error:
            raise _meaning_of(error) from error


def step(unit: Awaitable[Any]) -> Any:
    """Run a unit of work to its end."""
    assert isinstance(unit, Coroutine)
    try:
        unit.send(None)
    except StopIteration as end:
        return end.value
    unit.close()
    raise RuntimeError("A unit of work awaited something other than its transaction.")


def _may_change_dialogs(sql: str) -> bool:
    """Whether dialogs that the log writer remembers may stand otherwise afterwards; new ones it does not know."""
    return "dialogs" in sql and not sql.startswith(("SELECT", "INSERT INTO dialogs"))


def _meaning_of(error: sqlite3.IntegrityError) -> Exception:
    return AlreadyExists(str(error)) if error.sqlite_errorcode in _DUPLICATES else error
