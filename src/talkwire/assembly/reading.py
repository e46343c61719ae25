"""A look into data and keys, also while a server works on them: for the auditor's commands."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from talkwire.assembly.keys import masters_of
from talkwire.audit.sealing import Boxes
from talkwire.audit.store import Reader
from talkwire.backends.database.port import Database, Row, T, Unit
from talkwire.backends.database.sqlite_reader import SqliteReader
from talkwire.backends.keystore.sqlite import FILE_NAME
from talkwire.kernel.clock import SystemClock
from talkwire.kernel.errors import Unavailable
from talkwire.settings import Settings
from talkwire.vault.service import Vault


@dataclass(frozen=True)
class Looking:
    """What the auditor reads: the data, the anchors beside the keys, and what the keys open."""

    database: Reader
    keys: Reader
    vault: Vault
    boxes: Boxes


class _LookedAt:
    """A `Database` and a `KeyStore` that nobody writes to through us."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def read(self, sql: str, *args: object) -> Sequence[Row]:
        return await self._reader.read(sql, *args)

    async def write(self, unit: Unit[T], then: object = None) -> T:
        raise Unavailable("Nothing is written while only looking")

    shred = write


@contextlib.asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[Looking]:
    """Open for reading alone. Raises MasterKeyWrong, Unavailable."""
    async with _database(settings) as database, _keys(settings) as keys:
        store: object = _LookedAt(keys)
        vault = Vault(store, masters_of(settings), SystemClock())  # type: ignore[arg-type]  # it only reads
        data: object = _LookedAt(database)
        yield Looking(database, keys, vault, Boxes(data, vault))  # type: ignore[arg-type]  # likewise


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Reader]:
    if settings.storage.database_url:
        from talkwire.backends.database.postgres import PostgresDatabase  # noqa: PLC0415 -- only where it is used

        database: Database = await PostgresDatabase.open(settings.storage.database_url, 2)
        try:
            yield database
        finally:
            await database.close()
    else:
        async with _file(settings.storage.data_path / "talkwire.db") as reader:
            yield reader


@contextlib.asynccontextmanager
async def _keys(settings: Settings) -> AsyncIterator[Reader]:
    if settings.storage.keys_url:
        from talkwire.backends.keystore.postgres import PostgresKeyStore  # noqa: PLC0415

        store = await PostgresKeyStore.open(settings.storage.keys_url)
        try:
            yield store
        finally:
            await store.close()
    else:
        async with _file(settings.storage.keys_path / FILE_NAME) as reader:
            yield reader


@contextlib.asynccontextmanager
async def _file(path: Path) -> AsyncIterator[SqliteReader]:
    reader = SqliteReader(path)
    try:
        yield reader
    finally:
        reader.close()
