"""Backups: whole, of one moment, keys apart; restored only as they were made, and never over anything."""

import asyncio
import errno
import os
import sqlite3
from pathlib import Path

import pytest

from database import opened
from talkwire.backends.database.copying import CopyFailed, copy_sqlite
from talkwire.backends.database.port import Database, Transaction
from talkwire.ops.backup import CannotBackUp, back_up_data, back_up_keys, check_apart
from talkwire.ops.manifest import ManifestBroken
from talkwire.ops.restore import CannotRestore, check_backup, put_back, unfit


async def add_file(database: Database, data: Path, *, with_object: bool = True) -> str:
    key = os.urandom(16).hex()
    if with_object:
        place = data / "files" / "objects" / key[-2:] / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(os.urandom(100))

    async def unit(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO files (account_id, relative_path, object_key, key_id, uploader_id, uploader, state, reason,"
            " size_bytes, sha256, served_bytes, served_sha256, image_type, received_at, claimed_by, claimed_until)"
            " VALUES ('1', $1, $1, 'k', 'u', 'consumer', 'clean', '', 1, '', 1, '', 'png', 0, '', 0)",
            key,
        )

    await database.write(unit)
    return key


async def filled(data: Path, files: int = 3) -> None:
    data.mkdir()
    async with opened("sqlite", str(data / "talkwire.db")) as database:
        for _ in range(files):
            await add_file(database, data)
    (data / "tls").mkdir()
    (data / "tls" / "ca.pem").write_text("authority")
    (data / "server.lock").write_text("1")
    (data / "demo.env").write_text("x")


async def test_a_backup_is_restored_as_it_was(tmp_path: Path) -> None:
    data, target, again = tmp_path / "data", tmp_path / "backup", tmp_path / "again"
    await filled(data)
    done = back_up_data(data, target, "", 5)
    assert done.files == 5  # database, three objects, one certificate
    assert target.stat().st_mode & 0o777 == 0o700
    put_back(target, again, check_backup(target, "data"))
    assert list(unfit(again)) == []
    assert (again / "tls" / "ca.pem").read_text() == "authority"
    assert not (again / "manifest.json").exists()
    async with opened("sqlite", str(again / "talkwire.db")) as database:
        rows = await database.read("SELECT COUNT(*) AS n FROM files")
        assert rows[0]["n"] == 3


async def test_while_files_come_and_go_every_row_has_its_object(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    async with opened("sqlite", str(data / "talkwire.db")) as database:
        stopped = asyncio.Event()

        async def traffic() -> None:
            kept: list[str] = []
            while not stopped.is_set():
                kept.append(await add_file(database, data))
                if len(kept) > 20:
                    gone = kept.pop(0)

                    async def unit(tx: Transaction, gone: str = gone) -> None:
                        await tx.execute("DELETE FROM files WHERE object_key = $1", gone)

                    await database.write(unit)
                    (data / "files" / "objects" / gone[-2:] / gone).unlink()

        busy = asyncio.create_task(traffic())
        try:
            for number in range(5):
                target = tmp_path / f"backup{number}"
                await asyncio.to_thread(back_up_data, data, target, "", 5)
                assert list(unfit(target)) == []
        finally:
            stopped.set()
            await busy


async def test_a_row_without_object_is_said_and_no_backup_is_finished(tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "backup"
    await filled(data)
    async with opened("sqlite", str(data / "talkwire.db")) as database:
        await add_file(database, data, with_object=False)
    with pytest.raises(CannotBackUp, match="1 files have no object"):
        back_up_data(data, target, "", 5)
    with pytest.raises(ManifestBroken):
        check_backup(target, "data")


@pytest.mark.parametrize("harm", ["flip", "lose", "add"])
async def test_a_backup_that_was_changed_is_not_restored(tmp_path: Path, harm: str) -> None:
    data, target = tmp_path / "data", tmp_path / "backup"
    await filled(data)
    back_up_data(data, target, "", 5)
    victim = next((target / "files").rglob("??/*"))
    if harm == "flip":
        content = bytearray(victim.read_bytes())
        content[50] ^= 1
        victim.unlink()
        victim.write_bytes(content)
    elif harm == "lose":
        victim.unlink()
    else:
        (target / "more").write_text("x")
    with pytest.raises(CannotRestore, match=str(victim.name) if harm != "add" else "more"):
        check_backup(target, "data")


async def test_nothing_is_overwritten_and_keys_lie_apart(tmp_path: Path) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    await filled(data)
    keys.mkdir()
    (keys / "master.key").write_text("secret")
    back_up_data(data, tmp_path / "one", "", 5)
    with pytest.raises(CannotBackUp, match="not empty"):
        back_up_data(data, tmp_path / "one", "", 5)
    with pytest.raises(CannotRestore, match="not empty"):
        put_back(tmp_path / "one", data, check_backup(tmp_path / "one", "data"))
    with pytest.raises(CannotBackUp, match="apart"):
        check_apart(tmp_path / "one", tmp_path / "one" / "keys")
    back_up_keys(keys, tmp_path / "two", "", 5)
    with pytest.raises(ManifestBroken, match="holds keys"):
        check_backup(tmp_path / "two", "data")
    assert (tmp_path / "two" / "master.key").read_text() == "secret"


def test_a_database_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CopyFailed):
        copy_sqlite(tmp_path / "none.db", tmp_path / "copy.db")


def test_a_master_key_that_is_rotated_meanwhile_opens_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, target = tmp_path / "keys", tmp_path / "backup"
    keys.mkdir()
    (keys / "master.key").write_text("former")
    (keys / "rotate.request").write_text("*")
    sqlite3.connect(keys / "keys.db").close()
    copied: list[str] = []

    def rotating(source: Path, place: Path) -> None:
        copied.append((keys / "master.key").read_text())
        copy_sqlite(source, place)
        (keys / "master.key").write_text("present")

    monkeypatch.setattr("talkwire.ops.backup.copy_sqlite", rotating)
    back_up_keys(keys, target, "", 0)
    assert copied == ["former", "present"]
    assert {path.name for path in target.iterdir()} == {"keys.db", "master.key", "manifest.json"}
    assert (target / "master.key").read_text() == "present"


async def test_a_disk_that_is_full_leaves_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, target = tmp_path / "data", tmp_path / "backup"
    await filled(data)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr("talkwire.ops.backup.shutil.copy2", full)
    with pytest.raises(CannotBackUp, match="no space left"):
        back_up_data(data, target, "", 0)
    with pytest.raises(ManifestBroken):
        check_backup(target, "data")


async def test_a_folder_of_somebody_else_is_not_thrown_away(tmp_path: Path) -> None:
    data, target, again = tmp_path / "data", tmp_path / "backup", tmp_path / "again"
    await filled(data)
    back_up_data(data, target, "", 0)
    found = check_backup(target, "data")
    mine = tmp_path / "again.restoring" / "letters"
    mine.parent.mkdir()
    mine.write_text("dear")
    with pytest.raises(CannotRestore):
        put_back(target, again, found)
    assert mine.read_text() == "dear"
    mine.rename(mine.with_name(".restoring"))  # one that was broken off
    put_back(target, again, found)
    assert {path.name for path in again.iterdir()} == {"files", "talkwire.db", "tls"}
