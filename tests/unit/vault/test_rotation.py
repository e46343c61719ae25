"""Rotations broken off between any two steps: everything opens, and the next start ends them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from keys import opened_keys, opened_vault
from talkwire.backends.database.port import Row, Unit
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import SystemClock
from talkwire.kernel.errors import Unavailable
from talkwire.vault import masters
from talkwire.vault.errors import NothingToRotate
from talkwire.vault.masters import MasterFile
from talkwire.vault.model import CONSUMER, STAGING, Holder
from talkwire.vault.requests import MASTER, AskedRotations, ask
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


async def test_a_server_does_what_is_asked_through_its_folder(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []

    async def hear(account_id: str, what: str) -> None:
        told.append((account_id, what))

    async with opened_vault(tmp_path) as vault:
        await vault.create_file_key("a", Holder(STAGING))
        before = (await vault.counts()).master_id
        asked = AskedRotations(vault, tmp_path, hear)
        await asked.look()
        for whose in (MASTER, "a", "nobody", "a"):
            ask(tmp_path, whose)
        await asked.look()
        after = (await vault.counts()).master_id
        assert after != before
        assert told == [("a", f"master key {after}"), ("a", "account key")]
        assert not (tmp_path / "rotate.request").exists()
        with pytest.raises(NothingToRotate):
            await vault.rotate_account("nobody")


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
