"""What an uploader has left: whichever limit is met first refuses, and what is refused uses nothing up."""

import pytest

from files_desk import ACCOUNT, CONSUMER, Desk
from talkwire.accounts.properties import CONSUMER_DAILY_FILES, CONSUMER_DAILY_MEGABYTES
from talkwire.files.allowance import Allowance
from talkwire.files.errors import FileTooLarge, QuotaUsedUp, TooManySlots
from talkwire.files.model import FileLimits, UploadClaim, Uploader
from talkwire.files.quotas import Quotas
from talkwire.files.slots import SlotBook

MIB = 1_048_576


def allowance_at(desk: Desk) -> Allowance:
    limits = FileLimits(consumer_slots=1)
    quotas = Quotas(desk.database, desk.clock, desk.switches)
    return Allowance(SlotBook(limits), quotas, desk.clock, limits)


async def open_slot(allowance: Allowance, size_bytes: int = 1) -> int:
    claim = UploadClaim(size_bytes, "PNG")
    return await allowance.open_slot(ACCOUNT, CONSUMER.id, Uploader.CONSUMER, claim)


async def test_what_is_too_large_or_over_a_quota_takes_no_slot(desk: Desk) -> None:
    desk.switches.values[CONSUMER_DAILY_MEGABYTES.name] = 2
    allowance = allowance_at(desk)
    with pytest.raises(FileTooLarge):
        await open_slot(allowance, 3 * MIB + 1)
    with pytest.raises(QuotaUsedUp):
        await open_slot(allowance, 2 * MIB + 1)
    assert await open_slot(allowance, 2 * MIB) == desk.clock.now_ms()
    with pytest.raises(TooManySlots):
        await open_slot(allowance)


async def test_a_file_that_came_in_gives_its_slot_back_and_counts_for_the_day(desk: Desk) -> None:
    desk.switches.values[CONSUMER_DAILY_FILES.name] = 2
    path = await desk.uploaded(CONSUMER, b"a file")
    file = await desk.reopened_rooms().downloads._register.find(ACCOUNT, path)
    assert file is not None
    allowance = allowance_at(desk)
    opened_at_ms = await open_slot(allowance)
    allowance.spend(file, opened_at_ms)
    with pytest.raises(QuotaUsedUp):
        await open_slot(allowance)
