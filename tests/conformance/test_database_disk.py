"""The embedded database on a real file system that is full, and then has room again.

Mounting takes rights that not every machine gives; where it gives none, the test is not collected (not
skipped: `test_a_full_disk_fails_the_whole_batch…` asks the same with SQLite's own limit everywhere).
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from database import opened
from events import append, entry, event_rows, make_dialogs
from talkwire.backends.database.port import Database, Outcome, Transaction
from talkwire.kernel.errors import StorageFull

FILLER_BYTES = 1_500_000


def mount(folder: Path, *options: str) -> bool:
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def may_mount() -> bool:
    if os.geteuid() != 0:
        return False
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    assert mount(folder, "-o", "size=3m")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def publish(database: Database, acknowledged: dict[str, int]) -> Counter[Outcome]:
    entries = await append(database, *(entry(event=b"x" * 2000) for _ in range(20)))
    acknowledged.update({e.event_id: e.sequence for e in entries if e.outcome is Outcome.APPENDED})
    return Counter(e.outcome for e in entries)


async def large(tx: Transaction) -> None:
    statement = "INSERT INTO changes (account_id, kind, ref, at) VALUES ($1, $2, $3, $4)"
    await tx.execute(statement, "a", "k", "x" * 60_000, 1)


async def is_as_acknowledged(database: Database, acknowledged: dict[str, int]) -> bool:
    rows = await event_rows(database)
    held = {row["event_id"]: row["sequence"] for row in rows}
    return held == acknowledged and sorted(held.values()) == list(range(len(rows)))


if may_mount():

    async def test_a_disk_that_fills_up_loses_nothing_and_needs_no_restart(small_disk: Path) -> None:
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * FILLER_BYTES)
        acknowledged: dict[str, int] = {}
        async with opened("sqlite", str(small_disk / "t.db")) as database:
            await make_dialogs(database, "d1")
            for _ in range(100):
                outcomes = await publish(database, acknowledged)
                if Outcome.UNAVAILABLE in outcomes:
                    break
            assert outcomes == {Outcome.UNAVAILABLE: 20}
            with pytest.raises(StorageFull):
                await database.write(large)
            filler.unlink()
            assert await publish(database, acknowledged) == {Outcome.APPENDED: 20}
            await database.write(large)
            assert await is_as_acknowledged(database, acknowledged)
        async with opened("sqlite", str(small_disk / "t.db")) as database:
            assert await is_as_acknowledged(database, acknowledged)
