"""Strays: objects and keys that no file knows, left by a crash between the disk and the row."""

from collections.abc import Sequence
from contextlib import aclosing

import structlog

from talkwire.audit.anchors import Anchors
from talkwire.backends.database.port import Database
from talkwire.backends.filestore.port import FileStore
from talkwire.files import erasing_store as store
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId
from talkwire.vault.service import Vault

YOUNG_MS = 3_600_000
"""What is younger may still be on its way to its row: an upload is cut long before."""

AT_ONCE = 200

log = structlog.get_logger()


class Sweeping:
    """Compares what is there with what is known. Data that lacks what was anchored knows too little for that."""

    def __init__(
        self, database: Database, file_store: FileStore, vault: Vault, anchors: Anchors, clock: Clock
    ) -> None:
        self._database = database
        self._file_store = file_store
        self._vault = vault
        self._anchors = anchors
        self._clock = clock
        self._keys_swept_to_ms = 0
        self._left_out: dict[str, int] = {}  # from when on an account's keys were not looked through

    async def sweep_objects(self) -> int:
        """Remove objects that no file has; returns how many. None while any account's data is older than its anchor."""
        if lacking := await self._anchors.list_lacking():
            log.warning("objects are not swept: data lacks what was anchored", accounts=lacking)
            return 0
        before_ms = self._clock.now_ms() - YOUNG_MS
        gone = 0
        async with aclosing(self._file_store.list_objects()) as lists:
            async for listed in lists:
                old = [one.key for one in listed if one.written_at_ms < before_ms]
                for start in range(0, len(old), AT_ONCE):
                    gone += await self._sweep_objects(old[start : start + AT_ONCE])
        return gone

    async def sweep_keys(self) -> int:
        """Shred keys that no file has; returns how many. What was looked through once is not looked through again.

        An account whose data lacks what was anchored of it is left out until `talkwire audit restored`.
        """
        before_ms = self._clock.now_ms() - YOUNG_MS
        from_ms = await self._sweep_keys_from()
        gone, after = 0, ("", "")
        knows: dict[str, bool] = {}
        while made := await self._vault.list_made(from_ms, before_ms, after, AT_ONCE):
            after = made[-1]
            by_account: dict[str, list[str]] = {}
            for account_id, key_id in made:
                by_account.setdefault(account_id, []).append(key_id)
            for account_id, key_ids in by_account.items():
                if account_id not in knows:
                    knows[account_id] = await self._anchors.has_trail(account_id)
                if knows[account_id]:
                    gone += await self._sweep_keys(account_id, key_ids)
        for account_id in (account_id for account_id, does in knows.items() if not does):
            self._left_out.setdefault(account_id, from_ms)
        if self._left_out:
            log.warning("keys are not swept: data lacks what was anchored", accounts=sorted(self._left_out))
        self._keys_swept_to_ms = before_ms
        return gone

    async def _sweep_keys_from(self) -> int:
        """Where the last look ended; further back when an account that was left out has its trail again."""
        back = [account_id for account_id in self._left_out if await self._anchors.has_trail(account_id)]
        for (
            account_id
        ) in back:  # noted before anything is looked through: a look that fails begins there again
            self._keys_swept_to_ms = min(self._keys_swept_to_ms, self._left_out.pop(account_id))
        return self._keys_swept_to_ms

    async def _sweep_keys(self, account_id: str, key_ids: Sequence[str]) -> int:
        known = await store.list_known_keys(self._database, AccountId(account_id), key_ids)
        strays = [key_id for key_id in key_ids if key_id not in known]
        if strays:
            await self._vault.shred_file_keys(account_id, strays)
        return len(strays)

    async def _sweep_objects(self, object_keys: Sequence[str]) -> int:
        known = await store.list_known_objects(self._database, object_keys)
        strays = [key for key in object_keys if key not in known]
        for key in strays:
            await self._file_store.delete(key)
        return len(strays)
