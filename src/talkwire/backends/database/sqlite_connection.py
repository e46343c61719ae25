"""How we talk to SQLite: connections, rows, parameters, and what its errors mean to us."""

import fcntl
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from talkwire.backends.database.port import DatabaseInUse
from talkwire.kernel.errors import StorageFull, Unavailable

BUSY_TIMEOUT_SECONDS = 5.0
CACHED_STATEMENTS = 512
CACHE_KIB = 32_768
PAGE_BYTES = 2048
"""Each commit writes the last index page of every dialog in it: smaller pages, less to write."""

_PARAMETER = re.compile(r"\$(\d+)")
_ROW_LOCK = re.compile(r" FOR (?:SHARE|UPDATE)(?= ON CONFLICT|$)")


class SqliteRow(sqlite3.Row):
    """A row by name and by position, with the manners of a mapping."""

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self.keys() else default

    def values(self) -> Iterator[Any]:
        return iter(tuple(self))

    def items(self) -> Iterator[tuple[str, Any]]:
        return zip(self.keys(), self, strict=True)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()


def connect(path: Path, *, read_only: bool = False, secure_delete: bool = False) -> sqlite3.Connection:
    """Open the file with our pragmas; transactions are begun and ended by us.

    With `secure_delete` what is deleted is overwritten, and nothing spills into temporary files.
    """
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED_STATEMENTS,
    )
    connection.row_factory = SqliteRow
    if not read_only:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        if secure_delete:
            connection.execute("PRAGMA secure_delete = ON").fetchall()
            connection.execute("PRAGMA temp_store = MEMORY")
        if sys.platform == "darwin":
            connection.execute("PRAGMA fullfsync = 1")
            connection.execute("PRAGMA checkpoint_fullfsync = 1")
    return connection


@lru_cache(maxsize=2048)
def rewrite(sql: str) -> str:
    """`$n` means the nth argument; SQLite would number `$n` by first appearance, `?n` it takes at its word.

    Row locks are for databases that have more than one writer.
    """
    return _PARAMETER.sub(r"?\1", _ROW_LOCK.sub("", sql))


def hits_everyone(error: BaseException) -> bool:
    """Whether the error is the disk's or the file's, not the statement's."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _STORAGE_CODES


_STORAGE_CODES = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}


def refusal_of(error: BaseException) -> Unavailable:
    """What to tell whoever was in the transaction."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return StorageFull("The disk is full.")
    return Unavailable("The database cannot be written or read now.")


def lock_file(path: Path) -> IO[str]:
    """Hold `<path>.lock` for this process alone. Raises DatabaseInUse."""
    handle = Path(f"{path}.lock").open("a+", encoding="ascii")  # noqa: SIM115 -- held until close
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        owner = handle.read().strip() or "unknown"
        handle.close()
        raise DatabaseInUse(f"{path} is in use by another process (pid {owner}).") from None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle
