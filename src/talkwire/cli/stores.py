"""Whether database and key store can be reached, and were not written by a newer version. Nothing is changed."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from talkwire.backends.database.migrations import APPLIED, check_known, list_migrations
from talkwire.backends.database.port import SchemaTooNew
from talkwire.cli.failures import reason_of
from talkwire.cli.findings import Finding
from talkwire.settings import MIB, Settings

CONNECT_SECONDS = 5
DATA = "talkwire.backends.database"
KEYS = "talkwire.backends.keystore"


def check_database(settings: Settings) -> Iterator[Finding]:
    url = settings.storage.database_url
    if url:
        yield asyncio.run(_postgres(url, "database", DATA))
        return
    folder = settings.storage.data_path
    files = sorted(folder.glob("*.db"))
    size = sum(file.stat().st_size for file in files)
    says = f"{size // MIB} MiB" if files else "made on first start"
    yield _sqlite(folder / "talkwire.db", "database", DATA, f"SQLite in the data folder, {says}")


def check_key_store(settings: Settings) -> Iterator[Finding]:
    if settings.storage.keys_url:
        yield asyncio.run(_postgres(settings.storage.keys_url, "key store", KEYS))
        return
    path = settings.storage.keys_path / "keys.db"
    if path.exists():
        yield _sqlite(path, "key store", KEYS, "SQLite in the keys folder")


def _sqlite(path: Path, name: str, package: str, says: str) -> Finding:
    try:
        applied = _applied_in(path) if path.exists() else set()
    except sqlite3.Error as error:
        return Finding(name, "fail", f"{path} cannot be read: {error}")
    return _of_version(name, applied, package, says, str(path.parent))


def _applied_in(path: Path) -> set[int]:
    """Who only reads makes files beside the database too, unless told that nobody writes: without a log nobody does."""
    way = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{way}", uri=True)) as connection:
        has_any = bool(list(connection.execute("PRAGMA table_info(schema_migrations)")))
        return {number for (number,) in connection.execute(APPLIED)} if has_any else set()


async def _postgres(url: str, name: str, package: str) -> Finding:
    import asyncpg  # noqa: PLC0415 -- only who has PostgreSQL needs it

    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        said = reason_of(error) if isinstance(error, OSError) else type(error).__name__
        return Finding(name, "fail", f"PostgreSQL does not let us in: {said}")
    try:
        applied = {row["number"] for row in await connection.fetch(APPLIED)}
    except asyncpg.UndefinedTableError:
        applied = set()
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        return Finding(name, "fail", f"PostgreSQL does not let us read: {type(error).__name__}")
    finally:
        await connection.close(timeout=CONNECT_SECONDS)
    version = connection.get_server_version().major
    return _of_version(name, applied, package, f"PostgreSQL {version}", "PostgreSQL")


def _of_version(name: str, applied: set[int], package: str, says: str, where: str) -> Finding:
    try:
        check_known(applied, list_migrations({}, package))
    except SchemaTooNew as error:
        return Finding(name, "fail", f"{where} was written by a newer version of talkwire: {error}")
    return Finding(name, "ok", says)
