"""How much may come in on one day (UTC): of one consumer, and of a whole brand.

What counts of a file is the larger of what was sent and what is served. Counted in memory from what the rows say,
and read anew now and then, since other nodes take files too. So a quota may be passed by what comes in between; it
is there against floods, not for bills.
"""

from collections import OrderedDict
from typing import NamedTuple, Protocol

from talkwire.accounts.properties import (
    ACCOUNT_DAILY_FILES,
    ACCOUNT_DAILY_MEGABYTES,
    CONSUMER_DAILY_FILES,
    CONSUMER_DAILY_MEGABYTES,
    Property,
)
from talkwire.backends.database.port import Database
from talkwire.files import store
from talkwire.files.errors import QuotaUsedUp
from talkwire.files.model import MIB, HostedFile, Uploader
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ParticipantId

DAY_MS = 86_400_000
READ_ANEW_MS = {True: 600_000, False: 60_000}  # a brand's day is dear to add up, a consumer's is not
CAPACITY = 50_000
NOBODY = ParticipantId("")
"""Stands for the whole brand."""


class Used(NamedTuple):
    """What came in on a day."""

    day: int
    files: int
    size_bytes: int
    read_at_ms: int


class Properties(Protocol):
    """What is asked of accounts here."""

    async def value(self, account_id: AccountId, prop: Property) -> bool | int | str: ...


class Quotas:
    """Counts what comes in, and says when it is enough."""

    def __init__(self, database: Database, clock: Clock, properties: Properties) -> None:
        self._database = database
        self._clock = clock
        self._properties = properties
        self._used: OrderedDict[tuple[AccountId, ParticipantId], Used] = OrderedDict()

    async def admit(
        self, account_id: AccountId, uploader_id: ParticipantId, uploader: Uploader, size_bytes: int
    ) -> None:
        """Raises QuotaUsedUp, which says which limit it is and when the next day begins."""
        await self._admit(account_id, NOBODY, size_bytes, (ACCOUNT_DAILY_FILES, ACCOUNT_DAILY_MEGABYTES))
        if uploader is Uploader.CONSUMER:
            limits = (CONSUMER_DAILY_FILES, CONSUMER_DAILY_MEGABYTES)
            await self._admit(account_id, uploader_id, size_bytes, limits)

    def count(self, file: HostedFile) -> None:
        """A file came in."""
        self._add(file, 1, max(file.size_bytes, file.served_bytes))

    def count_grown(self, file: HostedFile) -> None:
        """A file that was counted got its verdict: what is stored and served of it may be larger than it was."""
        if file.served_bytes > file.size_bytes:
            self._add(file, 0, file.served_bytes - file.size_bytes)

    def _add(self, file: HostedFile, files: int, size_bytes: int) -> None:
        for whose in (NOBODY, file.uploader_id):
            used = self._used.get((file.account_id, whose))
            if used is not None and used.day == file.received_at_ms // DAY_MS:
                self._used[file.account_id, whose] = used._replace(
                    files=used.files + files, size_bytes=used.size_bytes + size_bytes
                )

    async def _admit(
        self,
        account_id: AccountId,
        whose: ParticipantId,
        size_bytes: int,
        limits: tuple[Property, Property],
    ) -> None:
        most_files, most_megabytes = [
            int(await self._properties.value(account_id, limit)) for limit in limits
        ]
        if most_files <= 0 and most_megabytes <= 0:
            return
        used = await self._read(account_id, whose)
        wait = -(-(DAY_MS - self._clock.now_ms() % DAY_MS) // 1000)
        if 0 < most_files <= used.files:
            raise QuotaUsedUp(limits[0].name, most_files, wait)
        if 0 < most_megabytes * MIB < used.size_bytes + size_bytes:
            raise QuotaUsedUp(limits[1].name, most_megabytes, wait)

    async def _read(self, account_id: AccountId, whose: ParticipantId) -> Used:
        now_ms = self._clock.now_ms()
        used = self._used.get((account_id, whose))
        if (
            used is not None
            and used.day == now_ms // DAY_MS
            and now_ms - used.read_at_ms < READ_ANEW_MS[whose == NOBODY]
        ):
            return used
        since_ms = now_ms - now_ms % DAY_MS
        files, size_bytes = await store.sum_received(self._database, account_id, whose, since_ms)
        used = Used(now_ms // DAY_MS, files, size_bytes, now_ms)
        self._used[account_id, whose] = used
        self._used.move_to_end((account_id, whose))
        if len(self._used) > CAPACITY:
            self._used.popitem(last=False)
        return used
