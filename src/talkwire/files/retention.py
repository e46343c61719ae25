"""Files go when their time is over, or when nobody ever showed them; erasures that a crash broke off are ended."""

from itertools import groupby
from operator import itemgetter
from typing import Protocol

from talkwire.accounts.properties import FILE_RETENTION_MONTHS, Property
from talkwire.audit.anchors import Anchors
from talkwire.backends.database.port import Database
from talkwire.files import erasing_store as store
from talkwire.files.erasing import Erasing, NotErased
from talkwire.files.marking import Gone
from talkwire.files.model import FileState
from talkwire.files.rules import expired_before_ms
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId

AT_ONCE = 200
NEVER_SHOWN = (FileState.RECEIVED.value, FileState.CLEAN.value, FileState.REJECTED.value)


class Properties(Protocol):
    """What is asked of accounts here."""

    async def value(self, account_id: AccountId, prop: Property) -> bool | int | str: ...


class Retention:
    """Looks for what has to go. Safe to run twice, and on several nodes."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        properties: Properties,
        erasing: Erasing,
        anchors: Anchors,
        orphan_seconds: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._properties = properties
        self._erasing = erasing
        self._anchors = anchors
        self._orphan_ms = orphan_seconds * 1000

    async def expire(self) -> int:
        """Erase published files whose months are over; returns how many."""
        gone = 0
        for account_id in await store.list_accounts(self._database):
            months = int(await self._properties.value(account_id, FILE_RETENTION_MONTHS))
            if months < 1:
                continue
            before_ms = expired_before_ms(self._clock.now_ms(), months)
            while paths := await store.list_expired(self._database, account_id, before_ms, AT_ONCE):
                gone += len(
                    await self._erasing.erase(
                        account_id, paths, Gone.EXPIRED.value, only=[FileState.PUBLISHED.value]
                    )
                )
        return gone

    async def clear_orphans(self) -> int:
        """Erase what was received long ago and never published; returns how many.

        Not by what older data knows, which lacks what was anchored: it may have been published since.
        """
        gone = 0
        before_ms = self._clock.now_ms() - self._orphan_ms
        lacking = await self._anchors.list_lacking()
        while found := await store.list_forsaken(self._database, before_ms, lacking, AT_ONCE):
            for account_id, files in groupby(sorted(found), key=itemgetter(0)):
                paths = [path for _, path in files]
                gone += len(
                    await self._erasing.erase(account_id, paths, Gone.ORPHANED.value, only=NEVER_SHOWN)
                )
        return gone

    async def finish(self) -> int:
        """End erasures that were broken off; returns how many files that were.

        Raises what the last one failed of, once all were tried.
        """
        found = await store.list_unfinished(self._database, AT_ONCE)
        failed: Exception | None = None
        for account_id, path, reason in found:
            try:
                await self._erasing.erase(account_id, [path], reason)
            except (Unavailable, NotErased) as error:
                failed = error
        if failed is not None:
            raise failed
        return len(found)
