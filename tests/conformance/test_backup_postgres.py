"""A backup of PostgreSQL is put back into an empty database, with its own programs."""

from pathlib import Path

import pytest

from database import PostgresServer, new_postgres_database, opened
from talkwire.backends.database.copying import CopyFailed
from talkwire.backends.database.port import Transaction
from talkwire.ops.backup import back_up_data
from talkwire.ops.restore import CannotRestore, check_backup, put_back, put_back_database


async def test_a_dump_is_loaded_again(postgres: PostgresServer, tmp_path: Path) -> None:
    url, empty = await new_postgres_database(postgres), await new_postgres_database(postgres)

    async def unit(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO consumers (account_id, consumer_id, profile, claims, updated_at) VALUES ('1', 'c', 'p', '{}', 0)"
        )

    async with opened("postgres", url) as database:
        await database.write(unit)
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "tls.pem").write_text("x")
        back_up_data(tmp_path / "data", tmp_path / "backup", url, 5)
    found = check_backup(tmp_path / "backup", "data")
    with pytest.raises(CannotRestore, match="database_url"):
        put_back_database(tmp_path / "backup", found, "", "database_url")
    put_back_database(tmp_path / "backup", found, empty, "database_url")
    put_back(tmp_path / "backup", tmp_path / "again", found)
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["tls.pem"]
    async with opened("postgres", empty) as database:
        rows = await database.read("SELECT profile FROM consumers")
        assert [row["profile"] for row in rows] == ["p"]


async def test_without_its_programs_it_says_what_to_do(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("talkwire.backends.database.copying._POSTGRES_PROGRAMS", tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(CopyFailed, match="postgresql-client"):
        back_up_data(tmp_path / "data", tmp_path / "backup", postgres.url(), 5)
