"""Moves what was committed from the write-ahead log into the file, off the commit path."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

from talkwire.backends.database.sqlite_connection import BUSY_TIMEOUT_SECONDS, connect

SECONDS_BETWEEN = 0.5
LONG_LOG_PAGES = 4096
"""From here on the log is worth beginning anew: overwriting blocks syncs faster than adding them."""

SHORT_PASS_SECONDS = 0.004
MOST_PASSES = 5
"""A pass over a long log takes tens of milliseconds, and meanwhile more is logged: so another pass, shorter
each time, until what is left for the writer is next to nothing."""

_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"

_EMPTY = "PRAGMA wal_checkpoint(TRUNCATE)"
_EMPTY_WAIT_MS = 50
"""How long readers may keep the writer from emptying the log."""

_log = logging.getLogger(__name__)


class Checkpointer:
    """A thread that checkpoints passively, at most twice a second, when something was committed.

    SQLite begins the log anew only when all of it is in the file, and while the writer writes it never is.
    So when the log is long, most of it is copied here, and the writer copies the short rest (`committed`).
    """

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._committed = Event()
        self._stopped = Event()
        self._log_is_long = False
        self._thread = Thread(target=self._run, name="talkwire-checkpointer", daemon=True)
        self._thread.start()

    def committed(self, writer: sqlite3.Connection) -> None:
        """Called by the writer between two transactions."""
        if self._log_is_long:
            self._log_is_long = False
            writer.execute(_CHECKPOINT).fetchall()
        if not self._committed.is_set():
            self._committed.set()

    def stop(self) -> None:
        self._stopped.set()
        self._committed.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while self._committed.wait() and not self._stopped.wait(SECONDS_BETWEEN):
            self._committed.clear()
            try:
                self._log_is_long = self._copy()
            except sqlite3.Error as error:
                _log.warning("A checkpoint failed, and will be tried again: %s", error)

    def _copy(self) -> bool:
        """Copy what was committed; whether the log is long, and the writer may begin it anew."""
        _, pages, _ = self._connection.execute(_CHECKPOINT).fetchone()
        if pages < LONG_LOG_PAGES:
            return False
        for _ in range(MOST_PASSES - 1):
            started = time.monotonic()
            self._connection.execute(_CHECKPOINT).fetchone()
            if time.monotonic() - started < SHORT_PASS_SECONDS:
                break
        return True


def empty_log(writer: sqlite3.Connection) -> bool:
    """Copy the log into the file and cut it to nothing; False when a reader is in the way just now."""
    try:
        with impatient(writer):
            busy, _, _ = writer.execute(_EMPTY).fetchone()
    except sqlite3.Error:
        return False
    return not busy


@contextmanager
def impatient(writer: sqlite3.Connection) -> Iterator[None]:
    """Who is in the writer's way is not waited for long: everybody's publish waits behind it."""
    writer.execute(f"PRAGMA busy_timeout = {_EMPTY_WAIT_MS}").fetchall()
    try:
        yield
    finally:
        writer.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}").fetchall()


def copy_log(path: Path) -> None:
    """Copy what is in the log now, off the writer's thread: it then has the short rest. Blocks."""
    with closing(connect(path)) as connection:
        connection.execute(_CHECKPOINT).fetchall()


def answer(waiting: "list[asyncio.Future[bool]]", emptied: bool) -> None:  # noqa: FBT001 -- call_soon takes no keywords
    for future in waiting:
        if not future.done():
            future.set_result(emptied)
