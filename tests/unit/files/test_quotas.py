"""So much a day and so fast, and no more."""

import asyncio
from pathlib import Path

import pytest
import pyvips

from files_desk import ACCOUNT, AGENT, CONSUMER, STRANGER, Desk, opened_desk
from pictures import png
from talkwire.accounts.properties import (
    ACCOUNT_DAILY_FILES,
    CONSUMER_DAILY_FILES,
    CONSUMER_DAILY_MEGABYTES,
)
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.files.errors import QuotaUsedUp, UploadsTooFast
from talkwire.files.model import UploadClaim
from talkwire.sanitation.service import Sanitizer

PICTURE = png(5, 5)


async def test_a_consumers_files_of_a_day_are_counted_and_the_next_day_begins_anew(desk: Desk) -> None:
    desk.switches.values[CONSUMER_DAILY_FILES.name] = 2
    for _ in range(2):
        await desk.uploaded(CONSUMER, PICTURE)
    with pytest.raises(QuotaUsedUp, match=CONSUMER_DAILY_FILES.name) as refusal:
        await desk.slot(CONSUMER)
    await desk.slot(STRANGER)
    await desk.slot(AGENT)
    with pytest.raises(QuotaUsedUp):
        await desk.reopened().open_upload(CONSUMER, UploadClaim(1, "PNG"))
    desk.clock.advance(seconds=refusal.value.retry_after_seconds - 1)
    with pytest.raises(QuotaUsedUp):
        await desk.slot(CONSUMER)
    desk.clock.advance(seconds=1)
    await desk.slot(CONSUMER)


async def test_bytes_are_counted_with_what_is_claimed(desk: Desk) -> None:
    desk.switches.values[CONSUMER_DAILY_MEGABYTES.name] = 1
    await desk.uploaded(CONSUMER, PICTURE)
    await desk.slot(CONSUMER, 1_048_576 - len(PICTURE))
    with pytest.raises(QuotaUsedUp, match=CONSUMER_DAILY_MEGABYTES.name):
        await desk.slot(CONSUMER, 1_048_577 - len(PICTURE))


async def test_what_is_stored_and_served_is_counted_when_it_is_more_than_was_sent(
    tmp_path: Path, sqlite_database: SqliteDatabase
) -> None:
    sanitizer = await Sanitizer.open(1)
    packed = pyvips.Image.gaussnoise(600, 500).cast("uchar").copy(interpretation="b-w")
    picture = packed.jpegsave_buffer(Q=10)
    async with opened_desk(tmp_path, sqlite_database, sanitizer) as desk:
        desk.switches.values[CONSUMER_DAILY_MEGABYTES.name] = 1
        await desk.slot(CONSUMER)  # from now on it is counted in memory
        path = await desk.uploaded(CONSUMER, picture)
        await desk.rooms.verdicts.wait((ACCOUNT, path), asyncio.get_running_loop().time() + 10)
        served = len(await desk.fetched(path))
        assert served > 2 * len(picture)
        for files in (desk.files, desk.reopened()):
            await files.open_upload(CONSUMER, UploadClaim(1_048_576 - served, "JPG"))
            with pytest.raises(QuotaUsedUp):
                await files.open_upload(CONSUMER, UploadClaim(1_048_577 - served, "JPG"))
    await sanitizer.close()


async def test_a_brands_files_are_counted_whoever_sent_them(desk: Desk) -> None:
    desk.switches.values[ACCOUNT_DAILY_FILES.name] = 2
    await desk.uploaded(CONSUMER, PICTURE)
    await desk.uploaded(AGENT, PICTURE)
    for who in (CONSUMER, AGENT, STRANGER):
        with pytest.raises(QuotaUsedUp, match=ACCOUNT_DAILY_FILES.name):
            await desk.slot(who)


async def test_who_asks_for_too_many_urls_in_a_minute_is_told_when_the_next_begins(desk: Desk) -> None:
    for _ in range(300):
        await desk.uploaded(CONSUMER, b"x")
    with pytest.raises(UploadsTooFast) as refusal:
        await desk.slot(CONSUMER)
    assert refusal.value.retry_after_seconds == 55
    desk.clock.advance(seconds=55)
    await desk.slot(CONSUMER)
