"""Databases for tests: fixture `sqlite_database`, and `any_database`, which runs a test on each adapter."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from talkwire.backends.database.sqlite import SqliteDatabase


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """An embedded database of this test's own, with the whole schema."""
    database = await SqliteDatabase.open(tmp_path / "talkwire.db")
    await database.migrate()
    yield database
    await database.close()
