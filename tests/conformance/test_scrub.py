"""After scrubbing nothing of what was replaced or deleted is left in the database's own files."""

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from database import opened
from talkwire.backends.database import sqlite_checkpoint, sqlite_scrub
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.database.sqlite_gaps import MOST_PAGES, PAGES_BETWEEN_LOOKS, Gaps, NotOurs
from talkwire.kernel.errors import Unavailable

SECRET = "the secret of "


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


async def fill(database: SqliteDatabase, rows: int, rng: random.Random) -> None:
    async def unit(tx: Transaction) -> None:
        for number in range(rows):
            text = f"{SECRET}{number} " * rng.choice([1, 3, 40, 400])
            await tx.execute(
                "INSERT INTO consumers (account_id, consumer_id, profile, claims, updated_at)"
                " VALUES ('1', $1, $2, '{}', 0)",
                rng.randbytes(16).hex(),
                text,
            )

    await database.write(unit)


async def test_no_byte_of_what_was_replaced_or_deleted_is_left(tmp_path: Path) -> None:
    rng = random.Random(7)
    async with opened("sqlite", str(tmp_path / "talkwire.db")) as database:
        assert isinstance(database, SqliteDatabase)
        for _ in range(6):
            await fill(database, 400, rng)

        async def grow(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE consumers SET profile = profile || $1 WHERE consumer_id < '8'", f"{SECRET}all"
            )

        async def erase(tx: Transaction) -> None:
            await tx.execute("UPDATE consumers SET profile = 'gone' WHERE consumer_id < 'c'")
            await tx.execute("DELETE FROM consumers WHERE consumer_id >= 'c'")

        await database.write(grow)
        assert SECRET.encode() in bytes_of(tmp_path)
        await database.write(erase)
        await database.scrub()
        left = bytes_of(tmp_path)
        assert left.count(SECRET.encode()) == 0
        assert (tmp_path / "talkwire.db-wal").stat().st_size == 0


async def churn(database: SqliteDatabase, rng: random.Random, rounds: int) -> list[str]:
    """Rows of many sizes that grow and shrink, in a tree and in an index: pages are split and joined."""
    names: list[str] = []
    for _ in range(rounds):

        async def unit(tx: Transaction) -> None:
            for _ in range(3):
                if names and rng.random() < 0.7:
                    name, sql = rng.choice(names), "UPDATE consumers SET profile = $2 WHERE consumer_id = $1"
                else:
                    name = rng.randbytes(8).hex()
                    names.append(name)
                    sql = (
                        "INSERT INTO consumers (account_id, consumer_id, profile, claims, updated_at)"
                        " VALUES ('1', $1, $2, '{}', 0)"
                    )
                text = f"<{name}>" * rng.choice([1, 5, 20, 60, 400]) + "x" * rng.randrange(300)
                await tx.execute(sql, name, text)

        await database.write(unit)
    return names


async def test_no_byte_is_left_where_pages_were_split_and_joined(tmp_path: Path) -> None:
    rng = random.Random(3)
    async with opened("sqlite", str(tmp_path / "talkwire.db")) as database:
        assert isinstance(database, SqliteDatabase)
        names = await churn(database, rng, 1500)
        erased = rng.sample(names, len(names) // 2)

        async def erase(tx: Transaction) -> None:
            for name in erased:
                await tx.execute(
                    "UPDATE consumers SET profile = $2 WHERE consumer_id = $1", name, "-" * rng.randrange(150)
                )

        await database.write(erase)
        gaps = Gaps(tmp_path / "talkwire.db")
        assert gaps.find() != []
        await database.scrub()
        assert gaps.find() == []
        busy = asyncio.create_task(churn(database, random.Random(4), 300))
        await database.scrub()
        await busy
        left = bytes_of(tmp_path)
        assert [name for name in erased if f"<{name}>".encode() in left] == []
        kept = set(names) - set(erased)
        rows = await database.read("SELECT consumer_id, profile FROM consumers")
        assert kept == {r["consumer_id"] for r in rows if f"<{r['consumer_id']}>" in r["profile"]} & set(
            names
        )
        gaps.close()
        assert (await database.read("PRAGMA integrity_check"))[0]["integrity_check"] == "ok"


async def test_a_reader_of_old_rows_is_not_waited_for_by_those_who_write(
    sqlite_database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkwire.backends.database.sqlite_scrub.SCRUB_SECONDS", 0.5)
    await fill(sqlite_database, 10, random.Random(1))
    reader = sqlite3.connect(tmp_path / "talkwire.db")
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM consumers").fetchall()
    try:
        await fill(sqlite_database, 10, random.Random(2))
        scrub = asyncio.create_task(sqlite_database.scrub())
        for number in range(20):
            async with asyncio.timeout(2):
                await fill(sqlite_database, 1, random.Random(100 + number))
        with pytest.raises(Unavailable):
            await scrub
    finally:
        reader.close()
    await sqlite_database.scrub()


async def leave_gaps(database: SqliteDatabase) -> None:
    await churn(database, random.Random(5), 600)


async def test_another_program_cannot_write_while_gaps_are_overwritten(
    sqlite_database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave_gaps(sqlite_database)
    told: list[str] = []
    clear = Gaps.clear

    def watched(self: Gaps, *args: Any) -> Sequence[int]:
        shell = sqlite3.connect(tmp_path / "talkwire.db", timeout=0, isolation_level=None)
        try:
            shell.execute("BEGIN IMMEDIATE")
            told.append("could write")
        except sqlite3.OperationalError as error:
            told.append(str(error))
        finally:
            shell.close()
        return clear(self, *args)

    monkeypatch.setattr(Gaps, "clear", watched)
    await sqlite_database.scrub()
    assert set(told) == {"database is locked"}


async def test_gaps_are_left_alone_while_another_program_writes(
    sqlite_database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It commits after our log was emptied and before its pages are looked at: what it logged counts."""
    await leave_gaps(sqlite_database)
    shell = sqlite3.connect(tmp_path / "talkwire.db", isolation_level=None, check_same_thread=False)
    log_sizes: list[int] = []
    clear = Gaps.clear

    def watched(self: Gaps, *args: Any) -> Sequence[int]:
        log_sizes.append((tmp_path / "talkwire.db-wal").stat().st_size)
        return clear(self, *args)

    def emptied(writer: sqlite3.Connection) -> bool:
        if not sqlite_checkpoint.empty_log(writer):
            return False
        if len(log_sizes) < 1:
            shell.execute("UPDATE consumers SET updated_at = updated_at + 1")
            monkeypatch.setattr(sqlite_scrub, "empty_log", sqlite_checkpoint.empty_log)
        return True

    monkeypatch.setattr(Gaps, "clear", watched)
    monkeypatch.setattr(sqlite_scrub, "empty_log", emptied)
    await sqlite_database.scrub()
    shell.close()
    assert set(log_sizes) == {0}
    assert (await sqlite_database.read("PRAGMA integrity_check"))[0]["integrity_check"] == "ok"


async def test_a_disk_that_fails_ends_the_scrub_and_not_the_writer(
    sqlite_database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkwire.backends.database.sqlite_scrub.SCRUB_SECONDS", 0.2)
    await leave_gaps(sqlite_database)

    def fail(self: Gaps, *args: Any) -> Sequence[int]:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(Gaps, "clear", fail)
        with pytest.raises(Unavailable):
            await sqlite_database.scrub()
    async with asyncio.timeout(5):
        await fill(sqlite_database, 1, random.Random(6))
    await sqlite_database.scrub()


async def test_overwriting_gaps_takes_turns_with_everybody_else(
    sqlite_database: SqliteDatabase, tmp_path: Path
) -> None:
    await leave_gaps(sqlite_database)
    await sqlite_database.scrub()
    gaps = Gaps(tmp_path / "talkwire.db")
    pages = list(range(100))
    assert gaps.clear(pages, seconds=-1) == pages[PAGES_BETWEEN_LOOKS:]
    assert gaps.clear(pages, seconds=60) == ()


@pytest.mark.parametrize("pragma", ["auto_vacuum = 1", "page_size = 512"])
def test_a_file_whose_pages_could_be_mistaken_is_left_alone(tmp_path: Path, pragma: str) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE t (x)")
        connection.commit()
    if "page_size" in pragma:  # long enough for any page's number; the file has holes and takes no room
        with path.open("r+b") as file:
            file.truncate(512 * MOST_PAGES)
    with pytest.raises(NotOurs):
        Gaps(path).find()


async def test_dead_rows_go(any_database: Database) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO consumers (account_id, consumer_id, profile, claims, updated_at)"
            " VALUES ('1', 'c', 'said', '{}', 0)"
        )

    async def erase(tx: Transaction) -> None:
        await tx.execute("UPDATE consumers SET profile = '' WHERE account_id = '1'")

    await any_database.write(unit)
    await any_database.write(erase)
    await any_database.scrub()  # type: ignore[attr-defined]
    rows = await any_database.read("SELECT profile FROM consumers WHERE account_id = '1'")
    assert [row["profile"] for row in rows] == [""]
