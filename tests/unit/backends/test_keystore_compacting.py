"""The room of destroyed keys is given back, and nothing of them with it."""

import sqlite3
from pathlib import Path

import pytest

from talkwire.backends.keystore.sqlite import SqliteKeyStore
from talkwire.backends.keystore.sqlite_compacting import compact


async def _filled(folder: Path) -> Path:
    store = await SqliteKeyStore.open(folder)
    await store.migrate()
    await store.close()
    path = folder / "keys.db"
    connection = sqlite3.connect(path)
    for number in range(300):
        live = number % 3 == 0
        wrapped = number.to_bytes(2, "big") * 30 if live else bytes(60)
        connection.execute(
            "INSERT INTO file_keys (account_id, key_id, holder_key_id, wrapped, made_at, live)"
            " VALUES ('a', ?, 'h', ?, 1, ?)",
            (f"{number:032x}", wrapped, int(live)),
        )
    connection.commit()
    connection.close()
    return path


def _rows(path: Path) -> tuple[int, int]:
    connection = sqlite3.connect(path)
    try:
        ((rows, live),) = connection.execute(
            "SELECT COUNT(*), COALESCE(SUM(live), 0) FROM file_keys"
        ).fetchall()
        return rows, live
    finally:
        connection.close()


async def test_a_file_full_of_destroyed_keys_is_written_anew(tmp_path: Path) -> None:
    path = await _filled(tmp_path)
    size = path.stat().st_size
    assert not compact(path, worth_rows=201)
    assert _rows(path) == (300, 100)
    assert compact(path, worth_rows=200)
    assert _rows(path) == (100, 100)
    assert path.stat().st_size < size
    assert not compact(path, worth_rows=200)


async def test_rewriting_that_was_broken_off_is_done_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await _filled(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM file_keys WHERE live = 0")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    size = path.stat().st_size
    assert compact(path)
    assert path.stat().st_size < size
    assert not compact(path)
