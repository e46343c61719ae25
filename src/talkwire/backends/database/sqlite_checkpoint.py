"""Moves what was committed from the write-ahead log into the file, off the commit path."""

import logging
import sqlite3
from pathlib import Path
from threading import Event, Thread

from talkwire.backends.database.sqlite_connection import connect

SECONDS_BETWEEN = 1.0

_log = logging.getLogger(__name__)


class Checkpointer:
    """A thread that checkpoints passively, at most once a second, when something was committed."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._committed = Event()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="talkwire-checkpointer", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """Something new is in the log. From any thread."""
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
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:
                _log.warning("A checkpoint failed, and will be tried again: %s", error)
