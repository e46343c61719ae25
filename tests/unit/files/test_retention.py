"""Thirteen months go by on a movable clock."""

import os
from datetime import UTC, datetime

import msgspec
import pytest
from structlog.testing import capture_logs

from files_desk import ACCOUNT, AGENT, CONSUMER, Desk, pieces
from pictures import png
from talkwire.accounts.properties import FILE_RETENTION_MONTHS
from talkwire.backends.database.port import Transaction
from talkwire.files import rules
from talkwire.files.erasing_store import list_forsaken
from talkwire.files.errors import FileNotFound
from talkwire.files.model import Claim, FileState
from talkwire.files.store import find_file, insert_file
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId
from talkwire.vault.model import STAGING, Holder

PICTURE = png(5, 5)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "before"),
    [
        ("2026-11-20T10:00:00", "2025-10-20T10:00:00"),
        ("2024-03-31T00:00:00", "2023-02-28T00:00:00"),
        ("2026-01-05T12:30:15", "2024-12-05T12:30:15"),
    ],
)
def test_months_are_those_of_the_calendar(now: str, before: str) -> None:
    assert rules.expired_before_ms(ms(now), 13) == ms(before)


async def test_a_file_is_kept_thirteen_months_and_then_only_its_event_remembers(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path)
    await desk.told(path, 0)
    for _ in range(13):
        desk.clock.advance(days=30)
        assert await desk.rooms.retention.expire() == 0
        assert await desk.rooms.retention.clear_orphans() == 0
        assert await desk.fetched(path) == PICTURE
    desk.clock.advance(days=8)
    assert await desk.rooms.retention.expire() == 1
    assert desk.objects() == []
    assert not any((await desk.rows()).values())
    assert await desk.messages() == [
        {"relativePath": path, "fileType": "PNG", "caption": "a cat", "expired": True}
    ]
    with pytest.raises(FileNotFound):
        await desk.fetched(path)


async def test_showing_a_file_again_keeps_it_longer_and_a_brand_may_say_how_long(desk: Desk) -> None:
    path = await desk.uploaded(AGENT, PICTURE)
    await desk.publish(AGENT, path)
    desk.clock.advance(days=300)
    await desk.publish(AGENT, path, sequence=1)
    desk.clock.advance(days=300)
    assert await desk.rooms.retention.expire() == 0
    desk.switches.values[FILE_RETENTION_MONTHS.name] = 0
    desk.clock.advance(days=3000)
    assert await desk.rooms.retention.expire() == 0
    desk.switches.values[FILE_RETENTION_MONTHS.name] = 1
    assert await desk.rooms.retention.expire() == 1


async def test_every_showing_counts_however_soon_it_came_after_the_one_before(desk: Desk) -> None:
    path = await desk.uploaded(AGENT, PICTURE)
    await desk.publish(AGENT, path)
    for sequence in range(1, 4):
        desk.clock.advance(seconds=30_000)
        await desk.publish(AGENT, path, sequence=sequence)
    desk.switches.values[FILE_RETENTION_MONTHS.name] = 1
    month = desk.clock.now_ms() - rules.expired_before_ms(desk.clock.now_ms(), 1)
    desk.clock.advance(seconds=month / 1000)
    assert await desk.rooms.retention.expire() == 0
    desk.clock.advance(seconds=1)
    assert await desk.rooms.retention.expire() == 1


async def test_what_was_never_published_goes_after_a_day(desk: Desk) -> None:
    clean = await desk.uploaded(CONSUMER, PICTURE)
    await desk.uploaded(CONSUMER, b"no picture")
    shown = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, shown)
    desk.clock.advance(seconds=86_400)
    assert await desk.rooms.retention.clear_orphans() == 0
    desk.clock.advance(seconds=1)
    assert await desk.rooms.retention.clear_orphans() == 2
    with pytest.raises(FileNotFound):
        await desk.files.open_download(CONSUMER, clean)
    await desk.until_objects(1)


async def test_an_erasure_that_was_broken_off_is_ended(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path)

    async def crash(tx: object) -> None:
        await tx.execute("UPDATE files SET state = 'erasing', reason = 'expired'")  # type: ignore[attr-defined]

    await desk.database.write(crash)
    assert await desk.rooms.retention.finish() == 1
    assert desk.objects() == []


async def test_what_a_crash_left_without_a_row_is_swept_when_it_is_old(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    stray = await desk.ground.vault.create_file_key(ACCOUNT, Holder(STAGING))
    key = os.urandom(16).hex()
    await desk.disk.put(key, pieces(b"half"), 10)
    now = desk.clock.now_ms() / 1000
    for file in desk.objects():
        os.utime(file, (now, now))
    sweeping = desk.rooms.sweeping
    assert (await sweeping.sweep_objects(), await sweeping.sweep_keys()) == (0, 0)
    desk.clock.advance(seconds=3_601)
    assert (await sweeping.sweep_objects(), await sweeping.sweep_keys()) == (1, 1)
    assert (await sweeping.sweep_objects(), await sweeping.sweep_keys()) == (0, 0)
    assert await desk.ground.vault.list_held(ACCOUNT, [stray.key_id]) == set()
    assert await desk.fetched(path) == PICTURE


async def test_strays_of_data_that_is_older_than_its_anchor_are_kept_until_it_is_said_to_be_restored(
    desk: Desk,
) -> None:
    before = await desk.uploaded(CONSUMER, PICTURE)
    older = await desk.database.read("SELECT number, hash, code FROM audit_heads")
    for _ in range(2):
        await desk.uploaded(CONSUMER, PICTURE)
    anchors, sweeping, held = desk.ground.anchors, desk.rooms.sweeping, await desk.held()
    assert len(held) == 3
    await anchors.keep()

    async def put_back(tx: Transaction) -> None:
        number, *_ = tuple(older[0])
        await tx.execute("DELETE FROM audit_records WHERE number > $1", number)
        await tx.execute("UPDATE audit_heads SET number = $1, hash = $2, code = $3", *tuple(older[0]))
        await tx.execute("DELETE FROM files WHERE relative_path <> $1", before)

    await desk.database.write(put_back)
    now = desk.clock.now_ms() / 1000
    for file in desk.objects():
        os.utime(file, (now, now))
    assert await desk.fetched(before) == PICTURE  # recorded: the trail goes on
    desk.clock.advance(seconds=21_600)
    for _ in range(20):
        assert await desk.fetched(before) == PICTURE
    await anchors.keep()
    desk.clock.advance(seconds=86_400)
    assert await desk.rooms.retention.clear_orphans() == 0  # it may have been published since
    with capture_logs() as said:
        assert (await sweeping.sweep_objects(), await sweeping.sweep_keys()) == (0, 0)
    assert [one["accounts"] for one in said] == [[ACCOUNT]] * 2
    assert await desk.held() == held
    await anchors.begin_anew(ACCOUNT)  # the operator's word
    assert (await sweeping.sweep_objects(), await sweeping.sweep_keys()) == (2, 2)
    assert len(await desk.held()) == 1
    assert await desk.fetched(before) == PICTURE
    assert await desk.rooms.retention.clear_orphans() == 1


async def test_keys_of_an_account_that_the_data_does_not_know_are_kept(desk: Desk) -> None:
    await desk.uploaded(CONSUMER, PICTURE)

    async def lose(tx: Transaction) -> None:
        for table in ("files", "audit_records", "audit_heads"):
            await tx.execute(f"DELETE FROM {table}")

    await desk.database.write(lose)
    desk.clock.advance(seconds=21_600)
    assert await desk.rooms.sweeping.sweep_keys() == 0
    assert len(await desk.held()) == 1


async def test_an_upload_that_came_to_nothing_leaves_no_key(desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    with pytest.raises(Exception, match="413"):
        await desk.put(url, bytes(3_145_729))
    desk.clock.advance(seconds=1)
    await desk.rooms.leftovers.clear()
    assert await desk.ground.vault.list_made(0, desk.clock.now_ms() + 1) == []
    (count,) = await desk.database.read("SELECT COUNT(*) AS n FROM files WHERE state <> $1", FileState.CLEAN)
    assert count["n"] == 0


@pytest.mark.parametrize("which", range(3))
async def test_an_erasure_that_fails_holds_up_no_other(desk: Desk, which: int) -> None:
    paths = [await desk.uploaded(CONSUMER, PICTURE) for _ in range(3)]
    stubborn = desk.objects()[which]
    stubborn.unlink()
    stubborn.mkdir()  # it cannot be deleted like a file
    with pytest.raises(Unavailable):
        await desk.rooms.erasing.erase(ACCOUNT, paths, "erasure")
    with pytest.raises(Unavailable):
        await desk.rooms.retention.finish()
    (left,) = await desk.database.read("SELECT object_key FROM files")
    assert left["object_key"] == stubborn.name
    stubborn.rmdir()
    assert await desk.rooms.retention.finish() == 1


async def test_files_of_accounts_that_are_left_out_take_no_place_of_others(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    file = await find_file(desk.database, ACCOUNT, path)
    assert file is not None
    lost = [
        msgspec.structs.replace(file, account_id=AccountId(name), received_at_ms=file.received_at_ms - 1)
        for name in ("lost", "gone")
    ]

    async def unit(tx: Transaction) -> None:
        for one in lost:
            await insert_file(tx, one, Claim("", 0))

    await desk.database.write(unit)
    assert await list_forsaken(desk.database, 2**60, ["lost", "gone"], 1) == [(ACCOUNT, path)]
    assert len(await list_forsaken(desk.database, 2**60, [], 10)) == 3
