"""The doctor names what would keep a server from starting, and says so by its exit code."""

import asyncio
import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from database import PostgresServer, new_postgres_database
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.keystore.sqlite import SqliteKeyStore
from talkwire.cli.main import main


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def doctor(*options: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *options], env=environment)


def checks(result: Result) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def test_a_fresh_machine_is_well(tmp_path: Path, free_port: int) -> None:
    result = doctor("--data", str(tmp_path / "data"), TALKWIRE_PORT=str(free_port))
    assert result.exit_code == 0, result.output
    assert "made on first start" in result.output
    assert not (tmp_path / "data").exists()


def test_a_taken_port_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        result = doctor("--json", "--data", str(tmp_path / "data"), TALKWIRE_PORT=str(port))
    assert result.exit_code == 1
    assert checks(result)[f"port {port}"]["state"] == "fail"
    assert not json.loads(result.stdout)["ok"]


def test_one_port_for_two_purposes_fails(tmp_path: Path, free_port: int) -> None:
    ports = {"TALKWIRE_PORT": str(free_port), "TALKWIRE_STORAGE_PORT": str(free_port)}
    result = doctor("--data", str(tmp_path / "data"), **ports)
    assert result.exit_code == 1
    assert "choose another with --storage-port" in result.output


def test_a_data_folder_that_is_a_file_fails(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "data").write_text("")
    result = doctor("--json", "--data", str(tmp_path / "data"), TALKWIRE_PORT=str(free_port))
    assert result.exit_code == 1
    assert checks(result)["data folder"]["state"] == "fail"


def test_a_database_that_does_not_answer_fails_and_its_password_is_not_shown(free_port: int) -> None:
    url = f"postgresql://talkwire:pa55@127.0.0.1:{free_port}/talkwire"
    result = doctor("--json", TALKWIRE_DATABASE_URL=url, TALKWIRE_PORT=str(free_port))
    assert result.exit_code == 1
    assert checks(result)["database"]["state"] == "fail"
    assert json.loads(result.stdout)["settings"]["TALKWIRE_DATABASE_URL"] == "(set)"
    assert "pa55" not in result.output


@pytest.mark.parametrize(("name", "file"), [("database", "data/talkwire.db"), ("key store", "keys/keys.db")])
async def test_what_a_newer_version_wrote_fails_as_the_server_would(
    tmp_path: Path, free_port: int, name: str, file: str
) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    data.mkdir(mode=0o700)
    keys.mkdir(mode=0o700)
    for store in (await SqliteDatabase.open(data / "talkwire.db"), await SqliteKeyStore.open(keys)):
        await store.migrate()
        await store.close()
    folders = ("--json", "--data", str(data), "--keys", str(keys))
    environment = {"TALKWIRE_PORT": str(free_port), "TALKWIRE_MASTER_KEY": "5c" * 32}
    before = doctor(*folders, **environment)
    assert before.exit_code == 0, before.output
    assert [checks(before)[each]["state"] for each in ("database", "key store")] == ["ok", "ok"]
    with closing(sqlite3.connect(tmp_path / file)) as connection, connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, '9999_future', 0)")
    there = sorted(tmp_path.rglob("*"))
    result = doctor(*folders, **environment)
    assert result.exit_code == 1
    assert checks(result)[name]["state"] == "fail"
    assert "was written by a newer version of talkwire" in checks(result)[name]["says"]
    assert "has schema 9999" in checks(result)[name]["says"]
    assert sorted(tmp_path.rglob("*")) == there  # it only looked


@pytest.mark.parametrize(
    ("name", "variable"), [("database", "TALKWIRE_DATABASE_URL"), ("key store", "TALKWIRE_KEYS_URL")]
)
def test_what_a_newer_version_wrote_to_postgresql_fails(
    tmp_path: Path, postgres: PostgresServer, free_port: int, name: str, variable: str
) -> None:
    url = asyncio.run(new_postgres_database(postgres))
    environment = {"TALKWIRE_PORT": str(free_port), "TALKWIRE_MASTER_KEY": "5c" * 32, variable: url}
    folder = ("--json", "--data", str(tmp_path / "data"))
    assert checks(doctor(*folder, **environment))[name]["state"] == "ok"
    asyncio.run(_write_as_the_future_does(url))
    result = doctor(*folder, **environment)
    assert result.exit_code == 1
    assert "was written by a newer version of talkwire" in checks(result)[name]["says"]


async def _write_as_the_future_does(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE schema_migrations (number INTEGER)")
    await connection.execute("INSERT INTO schema_migrations VALUES (9999)")
    await connection.close()


def test_a_database_that_is_none_fails(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "talkwire.db").write_text("no database" * 100)
    result = doctor("--json", "--data", str(tmp_path), TALKWIRE_PORT=str(free_port))
    assert result.exit_code == 1
    assert "cannot be read" in checks(result)["database"]["says"]


def test_a_certificate_that_cannot_be_read_fails(tmp_path: Path, free_port: int) -> None:
    files = {
        "TALKWIRE_TLS_CERT_FILE": str(tmp_path / "a.pem"),
        "TALKWIRE_TLS_KEY_FILE": str(tmp_path / "b.pem"),
    }
    result = doctor("--json", TALKWIRE_PORT=str(free_port), **files)
    assert checks(result)["certificate"]["state"] == "fail"


def test_settings_that_make_no_sense_end_with_2() -> None:
    result = doctor(TALKWIRE_PROT="1")
    assert result.exit_code == 2
    assert "did you mean TALKWIRE_PORT?" in result.output
