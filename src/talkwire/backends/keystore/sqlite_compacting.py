"""Gives back the room of destroyed keys, at the start, when they have become most of the file.

Deleting rows moves others between pages and leaves copies of them behind, so the whole file is written anew
right after. A mark in the file says that this is still to be done, should we be killed in between.
"""

import sqlite3
from pathlib import Path

from talkwire.backends.database.sqlite_connection import connect

TABLES = ("file_keys", "holder_keys", "account_keys")
WORTH_ROWS = 50_000
_TO_BE_WRITTEN_ANEW = 1


def compact(path: Path, worth_rows: int = WORTH_ROWS) -> bool:
    """Rewrite the file when it is worth it; nobody else may have it open. Returns whether it was."""
    connection = connect(path, secure_delete=True)
    try:
        if not _is_marked(connection):
            if not _is_worth_it(connection, worth_rows):
                return False
            connection.execute("BEGIN IMMEDIATE")
            for table in TABLES:
                connection.execute(f"DELETE FROM {table} WHERE live = 0")
            connection.execute(f"PRAGMA user_version = {_TO_BE_WRITTEN_ANEW}")
            connection.execute("COMMIT")
        connection.execute("VACUUM")
        connection.execute("PRAGMA user_version = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return True
    finally:
        connection.close()


def _is_marked(connection: sqlite3.Connection) -> bool:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return bool(version == _TO_BE_WRITTEN_ANEW)


def _is_worth_it(connection: sqlite3.Connection, worth_rows: int) -> bool:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'file_keys'").fetchall():
        return False  # a new file
    (rows,) = connection.execute("SELECT COUNT(*) FROM file_keys").fetchone()
    (live,) = connection.execute("SELECT COUNT(*) FROM file_keys WHERE live = 1").fetchone()
    return bool(rows - live >= max(worth_rows, live))
