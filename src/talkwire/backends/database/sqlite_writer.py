"""The writer: one thread, one connection, one transaction for all that waited."""

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from talkwire.backends.database.port import Append
from talkwire.backends.database.queue import CommitHeard, Entry, Work, events_in, fail, heard_nothing
from talkwire.backends.database.sqlite_connection import hits_everyone, refusal_of
from talkwire.backends.database.sqlite_transaction import SqliteTransaction, step
from talkwire.kernel.errors import Unavailable

_log = logging.getLogger(__name__)


class _Refused(Exception):
    """A unit raised; what came before it in the batch can stand."""

    def __init__(self, work: Work, error: BaseException) -> None:
        self.work = work
        self.error = error


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
            self._transact(batch, self._apply_boldly)
        except _Refused as refused:
            self._roll_back()
            if len(batch) > 1:
                self._commit_warily(batch)
            else:
                refused.work.error = refused.error
        except BaseException as error:  # noqa: BLE001 -- this thread has to live; each member hears of it
            self._give_up(batch, error)

    def _commit_warily(self, batch: Sequence[Entry]) -> None:
        """The same once more, with a savepoint before each unit: what one of them refuses is undone alone."""
        try:
            self._transact(batch, self._apply_warily)
        except BaseException as error:  # noqa: BLE001
            self._give_up(batch, error)

    def _transact(self, batch: Sequence[Entry], apply_work: Callable[[Work], None]) -> None:
        if self._damaged:
            self._connection.close()
            self._open()
        self._connection.execute("BEGIN IMMEDIATE")
        for kind, run in groupby(batch, type):
            if issubclass(kind, Append):
                self._transaction.append_run(list(run))  # type: ignore[arg-type]
            else:
                for work in run:
                    apply_work(work)  # type: ignore[arg-type]
        self._transaction.end()
        self._connection.execute("COMMIT")

    def _apply_boldly(self, work: Work) -> None:
        """Few units refuse anything, so none is given a savepoint at first: each is two statements more."""
        work.error = None  # of a former try
        try:
            work.result = step(work.unit(self._transaction))
        except BaseException as error:
            if hits_everyone(error):
                raise
            raise _Refused(work, error) from error

    def _apply_warily(self, work: Work) -> None:
        work.error = None
        endings = self._transaction.list_endings()
        self._connection.execute("SAVEPOINT unit")
        try:
            work.result = step(work.unit(self._transaction))
        except BaseException as error:  # the unit's own refusal, or ours to pass on
            if hits_everyone(error) or not self._connection.in_transaction:
                raise
            work.error = error
            self._transaction.forget(endings)
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
