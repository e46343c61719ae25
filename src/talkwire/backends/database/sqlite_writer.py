"""The writer: one thread, one connection, one transaction for all that waited."""

import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import groupby
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

from talkwire.backends.database.port import AlreadyExists, Append, Row
from talkwire.backends.database.queue import CommitHeard, Entry, Work, events_in, fail, heard_nothing
from talkwire.backends.database.sqlite_append import LogWriter
from talkwire.backends.database.sqlite_connection import hits_everyone, refusal_of, rewrite
from talkwire.kernel.errors import Unavailable

_log = logging.getLogger(__name__)

_DUPLICATES = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}


class SqliteTransaction:
    """What a unit sees. Its methods never suspend: the writer steps a unit from start to end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._log = LogWriter(connection)

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

    def append_run(self, entries: Sequence[Append]) -> None:
        """What `append` does, for the writer itself."""
        self._log.append(entries)

    def forget(self) -> None:
        """Something was rolled back."""
        self._log.forget()

    def _execute(self, sql: str, args: tuple[object, ...]) -> sqlite3.Cursor:
        if _may_change_dialogs(sql):
            self._log.forget()
        try:
            return self._connection.execute(rewrite(sql), args)
        except sqlite3.IntegrityError as error:
            raise _meaning_of(error) from error


GATHER_FROM = 24
GATHER_SECONDS = 0.0006
"""After a commit of many, wait a moment before the next: a batch costs a page per dialog however many events
it has, so twice the events in half the commits is cheaper for everyone. A quiet server never waits."""


class Settled(Protocol):
    def __call__(self, batch: list[Entry], *, idle: bool) -> None: ...


class SqliteWriter:
    """Commits batches in its own thread, and hands each back through `settled(batch, idle=…)`.

    `take` is asked for the next batch until it has none; then the thread sleeps until `wake`.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        take: Callable[[], list[Entry]],
        settled: Settled,
        committed: Callable[[sqlite3.Connection], None],
    ) -> None:
        self._connect = connect
        self._take = take
        self._settled = settled
        self._committed = committed
        self.commit_heard: CommitHeard = heard_nothing
        self._open()
        self._wakes: SimpleQueue[bool] = SimpleQueue()
        self._thread = Thread(target=self._run, name="talkwire-writer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._wakes.put(True)

    def stop(self) -> None:
        """End the thread after what it is doing. Blocks."""
        self._wakes.put(False)
        self._thread.join()
        self._connection.close()

    def _open(self) -> None:
        self._connection = self._connect()
        self._transaction = SqliteTransaction(self._connection)
        self._damaged = False

    def _run(self) -> None:
        while self._wakes.get():
            batch = self._take()
            while True:
                started = time.perf_counter()
                self._commit(batch)
                self._tell(batch, time.perf_counter() - started)
                if len(batch) >= GATHER_FROM:
                    self._settled(batch, idle=False)
                    batch = []
                    time.sleep(GATHER_SECONDS)
                following = self._take()
                self._settled(batch, idle=not following)
                self._tidy()
                if not following:
                    break
                batch = following

    def _tell(self, batch: Sequence[Entry], seconds: float) -> None:
        """Whoever counts commits must not end them."""
        try:
            self.commit_heard(events_in(batch), seconds)
        except Exception:  # noqa: BLE001 -- this thread has to live
            _log.exception("Counting a commit failed.")

    def _tidy(self) -> None:
        try:
            self._committed(self._connection)
        except sqlite3.Error as error:
            _log.warning("The log could not be checkpointed: %s", error)

    def _commit(self, batch: Sequence[Entry]) -> None:
        """Apply the batch in one transaction, or mark it as not applied. Never raises."""
        try:
            if self._damaged:
                self._connection.close()
                self._open()
            self._connection.execute("BEGIN IMMEDIATE")
            self._apply(batch)
            self._connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 -- this thread has to live; each member hears of it
            self._give_up(batch, error)

    def _apply(self, batch: Sequence[Entry]) -> None:
        for kind, run in groupby(batch, type):
            if issubclass(kind, Append):
                self._transaction.append_run(list(run))  # type: ignore[arg-type]
            else:
                for work in run:
                    self._apply_work(work)  # type: ignore[arg-type]

    def _apply_work(self, work: Work) -> None:
        work.error = None  # of a former try
        self._connection.execute("SAVEPOINT unit")
        try:
            work.result = _step(work.unit(self._transaction))
        except BaseException as error:  # the unit's own refusal, or ours to pass on
            if hits_everyone(error) or not self._connection.in_transaction:
                raise
            work.error = error
            self._transaction.forget()
            self._connection.execute("ROLLBACK TO unit")
        self._connection.execute("RELEASE unit")

    def _give_up(self, batch: Sequence[Entry], error: BaseException) -> None:
        self._roll_back()
        if hits_everyone(error):
            self._damaged = True
            _log.warning("A commit of %d entries failed: %s", len(batch), error)
            fail(batch, refusal_of(error))
        elif len(batch) > 1:  # one of them is poison: let the others live
            for entry in batch:
                self._commit([entry])
        elif isinstance(batch[0], Work):
            batch[0].error = error
        else:
            _log.error("An event could not be written.", exc_info=error)
            fail(batch, Unavailable("The event could not be written."))

    def _roll_back(self) -> None:
        self._transaction.forget()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._damaged = True


def _step(unit: Awaitable[Any]) -> Any:
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
