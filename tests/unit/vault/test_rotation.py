"""Rotations broken off between any two steps: everything opens, and the next start ends them."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from keys import MASTER, opened_keys, opened_vault
from talkwire.audit.errors import HeadMissing
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.audit.service import Trail
from talkwire.audit.store import list_records
from talkwire.backends.database.port import Database, Row, Transaction, Unit
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import SystemClock
from talkwire.kernel.errors import Unavailable
from talkwire.vault import masters
from talkwire.vault.errors import NothingToRotate, Tampered
from talkwire.vault.masters import MasterFile, MasterSecrets
from talkwire.vault.model import CONSUMER, STAGING, Holder
from talkwire.vault.requests import AskedRotations, Key, Request, Rotations, ask
from talkwire.vault.service import Vault

CONSUMERS = 230  # three batches


class Breaking:
    """A key store that fails from its nth write on, before or after doing it."""

    def __init__(self, store: KeyStore, writes: int, *, after: bool) -> None:
        self._store = store
        self._left = writes
        self._after = after

    async def write(self, unit: Unit[Any]) -> Any:
        return await self._counted(self._store.write, unit)

    async def shred(self, unit: Unit[Any]) -> Any:
        return await self._counted(self._store.shred, unit)

    async def _counted(self, door: Any, unit: Unit[Any]) -> Any:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Unavailable("broken off")
        result = await door(unit)
        if self._left < 0:
            raise Unavailable("broken off, and nobody heard that it was done")
        return result

    async def read(self, sql: str, *args: object) -> Sequence[Row]:
        return await self._store.read(sql, *args)

    async def migrate(self) -> None: ...

    async def close(self) -> None: ...


async def filled(folder: Path) -> dict[str, bytes]:
    async with opened_vault(folder) as vault:
        holders = [Holder(CONSUMER, f"c{n}") for n in range(CONSUMERS)]
        keys = [await vault.create_file_key("a", holder) for holder in (*holders, Holder(STAGING))]
        return dict(keys)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("writes", range(6))
async def test_an_account_s_rotation_may_be_broken_off(writes: int, after: bool, tmp_path: Path) -> None:
    kept = await filled(tmp_path)
    async with opened_keys("sqlite", str(tmp_path)) as store:
        breaking = await Vault.open(Breaking(store, writes, after=after), MasterFile(tmp_path), SystemClock())
        with pytest.raises(Unavailable):
            await breaking.rotate_account("a")
    async with opened_vault(tmp_path) as vault:
        assert {key_id: await vault.file_key("a", key_id) for key_id in kept} == kept
        assert (await vault.counts()).unfinished_rotations == 0
        await vault.rotate_account("a")
        assert await vault.file_key("a", min(kept)) == kept[min(kept)]


@pytest.mark.parametrize("after", [False, True])
async def test_the_master_key_s_rotation_may_be_broken_off(after: bool, tmp_path: Path) -> None:
    kept = await filled(tmp_path)
    async with opened_keys("sqlite", str(tmp_path)) as store:
        breaking = await Vault.open(Breaking(store, 0, after=after), MasterFile(tmp_path), SystemClock())
        with pytest.raises(Unavailable):
            await breaking.rotate_master()
        assert len(MasterFile(tmp_path).known()) == 2
        whole = await Vault.open(store, MasterFile(tmp_path), SystemClock())
        assert await whole.file_key("a", min(kept)) == kept[min(kept)]
        assert len(MasterFile(tmp_path).known()) == 1
        await whole.rotate_master()
    async with opened_vault(tmp_path) as vault:
        assert {key_id: await vault.file_key("a", key_id) for key_id in kept} == kept


async def test_a_rotation_after_one_whose_end_nobody_heard_loses_nothing(tmp_path: Path) -> None:
    kept = await filled(tmp_path)
    async with opened_keys("sqlite", str(tmp_path)) as store:
        vault = await Vault.open(Breaking(store, 0, after=True), MasterFile(tmp_path), SystemClock())
        for _ in range(3):
            with pytest.raises(Unavailable):
                await vault.rotate_master()
            fresh = await Vault.open(store, MasterFile(tmp_path), SystemClock())
            assert await fresh.file_key("a", min(kept)) == kept[min(kept)]


async def test_the_master_key_may_not_get_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full, say, between the commit and the renaming."""
    kept = await filled(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with opened_vault(tmp_path) as vault:
        with monkeypatch.context() as patch:
            patch.setattr(masters, "_replace", full)
            with pytest.raises(OSError, match="space"):
                await vault.rotate_master()
        assert await vault.file_key("a", min(kept)) == kept[min(kept)]
    async with opened_vault(tmp_path) as vault:
        assert {key_id: await vault.file_key("a", key_id) for key_id in kept} == kept


@contextlib.asynccontextmanager
async def rotations_of(vault: Vault, database: Database) -> AsyncIterator[tuple[Rotations, list[str]]]:
    """Rotations on record in a trail, and whose keys for temporary URLs were rotated. Nobody asks yet."""
    ACTOR.set("")
    ORIGIN.set("")
    trail, urls = Trail(database, SystemClock(), vault), list[str]()

    async def rotate_urls(account_id: str) -> None:
        urls.append(account_id)

    yield Rotations(vault, rotate_urls, trail), urls
    await trail.close()


async def recorded(database: Database, account_id: str = "a") -> list[tuple[str, str, str, str]]:
    drafts = [record.draft for record in await list_records(database, account_id, 0, 100)]
    return [(draft.act, draft.subject, draft.actor, draft.address) for draft in drafts]


async def test_a_server_does_what_is_asked_through_its_folder_and_says_who_asked(
    tmp_path: Path, sqlite_database: SqliteDatabase
) -> None:
    async with opened_vault(tmp_path) as vault, rotations_of(vault, sqlite_database) as (rotations, urls):
        await vault.create_file_key("a", Holder(STAGING))
        before = (await vault.counts()).master_id
        asked = AskedRotations(rotations, tmp_path)
        await asked.look()
        for request in (
            Request(Key.MASTER, actor="operator root", address="cli"),
            Request(Key.ACCOUNT, "a", "operator ada", "cli"),
            Request(Key.ACCOUNT, "nobody", "operator ada", "cli"),
            Request(Key.ACCOUNT, "a", "operator ada", "cli"),
            Request(Key.URLS, "a", "operator ada", "cli"),
            Request(Key.URLS, "nobody", "operator ada", "cli"),
        ):
            ask(tmp_path, request)
        with (tmp_path / "rotate.request").open("ab") as file:
            file.write(b"*\n{}\n\xff\n")  # not from us
        await asked.look()
        after = (await vault.counts()).master_id
        assert after != before
        assert await recorded(sqlite_database) == [
            ("key rotation begun", "master key", "operator root", "cli"),
            ("key rotated", f"master key {after}", "operator root", "cli"),
            ("key rotation begun", "account key", "operator ada", "cli"),
            ("key rotated", "account key", "operator ada", "cli"),
        ]
        assert urls == ["a"]
        assert await vault.list_accounts() == ["a"]  # nobody has no keys by being named
        assert not (tmp_path / "rotate.request").exists()
        with pytest.raises(NothingToRotate):
            await vault.rotate_account("nobody")


async def test_a_rotation_that_was_broken_off_is_on_record_and_so_is_its_end(
    tmp_path: Path, sqlite_database: SqliteDatabase
) -> None:
    await filled(tmp_path)
    async with opened_keys("sqlite", str(tmp_path)) as store:
        broken = await Vault.open(Breaking(store, 3, after=False), MasterFile(tmp_path), SystemClock())
        async with rotations_of(broken, sqlite_database) as (rotations, _):
            await broken.seal("a", "test", b"the trail's key, say")
            with pytest.raises(Unavailable):
                await rotations.rotate(Request(Key.ACCOUNT, "a"))
        begun = [("key rotation begun", "account key", "operator", "")]
        assert await recorded(sqlite_database) == begun
        vault = await Vault.open(store, MasterFile(tmp_path), SystemClock())
        async with rotations_of(vault, sqlite_database) as (rotations, _):
            await rotations.tell_ended()
        ended = [*begun, ("key rotated", "account key", "server", "")]
        assert await recorded(sqlite_database) == ended
        assert (await Vault.open(store, MasterFile(tmp_path), SystemClock())).ended == []


async def test_a_rotation_that_cannot_be_done_is_recorded_as_refused(
    tmp_path: Path, sqlite_database: SqliteDatabase
) -> None:
    async with opened_keys("sqlite", str(tmp_path)) as store:
        vault = await Vault.open(store, MasterSecrets(MASTER), SystemClock())
        await vault.create_file_key("a", Holder(STAGING))
        async with rotations_of(vault, sqlite_database) as (rotations, _):
            with pytest.raises(NothingToRotate):
                await rotations.rotate(Request(Key.MASTER))
        assert [one[:2] for one in await recorded(sqlite_database)] == [
            ("key rotation begun", "master key"),
            ("refused", "master key"),
        ]


class Overtaken(Breaking):
    """A key store in which another node begins a rotation of its own after our first write."""

    def __init__(self, store: KeyStore, other: Vault) -> None:
        super().__init__(store, 1_000_000, after=True)
        self._other: Vault | None = other

    async def write(self, unit: Unit[Any]) -> Any:
        result = await super().write(unit)
        other, self._other = self._other, None
        if other is not None:
            await other.rotate_account("a")
        return result


async def test_a_start_is_not_refused_because_another_node_rotates(tmp_path: Path) -> None:
    kept = await filled(tmp_path)
    async with opened_keys("sqlite", str(tmp_path)) as store:
        other = await Vault.open(store, MasterFile(tmp_path), SystemClock())
        broken = await Vault.open(Breaking(store, 1, after=False), MasterFile(tmp_path), SystemClock())
        with pytest.raises(Unavailable):
            await broken.rotate_account("a")
        assert (await other.counts()).unfinished_rotations == 1
        vault = await Vault.open(Overtaken(store, other), MasterFile(tmp_path), SystemClock())
        assert {key_id: await vault.file_key("a", key_id) for key_id in kept} == kept
        assert (await vault.counts()).unfinished_rotations == 0


async def alter_head(database: Database, account_id: str) -> None:
    """What the key of an account's trail is sealed in does not open any more."""

    async def unit(tx: Transaction) -> None:
        sql = "UPDATE audit_heads SET sealed_key = $2 WHERE account_id = $1"
        assert await tx.execute(sql, account_id, bytes(100))

    await database.write(unit)


async def test_one_trail_that_cannot_be_opened_does_not_keep_the_master_key_from_its_rotation(
    tmp_path: Path, sqlite_database: SqliteDatabase
) -> None:
    async with opened_vault(tmp_path) as vault:
        async with rotations_of(vault, sqlite_database) as (rotations, _):
            for account_id in "ab":
                await vault.create_file_key(account_id, Holder(STAGING))
                await rotations.rotate(Request(Key.ACCOUNT, account_id))
        await alter_head(sqlite_database, "a")
        before = (await vault.counts()).master_id
        async with rotations_of(vault, sqlite_database) as (rotations, _):
            vault.ended = ["a", "b"]
            with capture_logs() as logs:
                await rotations.rotate(Request(Key.MASTER))
                await rotations.tell_ended()
        after = (await vault.counts()).master_id
        assert after != before
        assert [one[:2] for one in await recorded(sqlite_database, "b")][2:] == [
            ("key rotation begun", "master key"),
            ("key rotated", f"master key {after}"),
            ("key rotated", "account key"),
        ]
        assert len(await recorded(sqlite_database, "a")) == 2
        assert [(log["log_level"], log["account_id"]) for log in logs] == [("error", "a")] * 3


async def test_a_request_that_fails_is_answered_alone_and_one_that_may_be_had_later_is_kept_alone(
    tmp_path: Path, sqlite_database: SqliteDatabase
) -> None:
    failures: dict[str, Exception] = {
        "b": Tampered("altered"),
        "c": Unavailable("the disk is full"),
        "d": HeadMissing(),
    }
    rotated = list[str]()

    async def rotate_urls(account_id: str) -> None:
        if account_id in failures:
            raise failures[account_id]
        rotated.append(account_id)

    async with opened_vault(tmp_path) as vault:
        trail = Trail(sqlite_database, SystemClock(), vault)
        asked = AskedRotations(Rotations(vault, rotate_urls, trail), tmp_path)
        for account_id in "abcde":
            await vault.create_file_key(account_id, Holder(STAGING))
            ask(tmp_path, Request(Key.URLS, account_id, "operator ada", "cli"))
        await asked.look()
        await asked.look()
        assert rotated == ["a", "e"]
        (kept,) = (tmp_path / "rotate.request").read_text().splitlines()
        assert msgspec.json.decode(kept, type=Request).account_id == "c"
        refused = [("refused", "temporary URL key", "operator ada", "cli")]
        assert await recorded(sqlite_database, "b") == refused
        assert await recorded(sqlite_database, "c") == []
        del failures["c"]
        await asked.look()
        assert rotated == ["a", "e", "c"]
        assert not (tmp_path / "rotate.request").exists()
        await trail.close()
