"""Giving the keys above new ones: each step is a commit of its own after which everything still opens."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from talkwire.backends.database.port import Row, Transaction
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Conflict, Unavailable
from talkwire.vault import rotation_store as sql
from talkwire.vault.errors import NothingToRotate, Tampered
from talkwire.vault.keyring import TRIES, Keyring, account_name, holder_name
from talkwire.vault.masters import Masters
from talkwire.vault.model import Holder
from talkwire.vault.store import find_account_key, find_master_id, list_unfinished
from talkwire.vault.wrapping import wrap

log = structlog.get_logger()


class Rotation:
    """New keys above the same keys: what is wrapped is wrapped anew, then the old key is destroyed."""

    def __init__(self, store: KeyStore, masters: Masters, ring: Keyring, clock: Clock) -> None:
        self._store = store
        self._masters = masters
        self._ring = ring
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def account(self, account_id: str) -> int:
        async with self._one_at_a_time:
            row = await find_account_key(self._store, account_id)
            if row is None:
                raise NothingToRotate(f"Account {account_id} has no keys.")
            key_id = await self._ring.add_account_key(account_id, row["account_key_id"])
            if key_id is None:
                raise Conflict("Another node rotates this key now.")
            return await self._sweep(account_id, key_id)

    async def finish(self) -> list[str]:
        """End what was broken off: accounts that have an older key beside the newest. Gives those accounts.

        One whose keys are damaged is left as it is, and tried again by the next start. Raises Unavailable.
        """
        ended = []
        for account_id in await list_unfinished(self._store):
            try:
                if await self._finish(account_id):
                    ended.append(account_id)
            except Unavailable:
                raise
            except Exception:  # altered or foreign rows: that account's alone
                log.exception(
                    "a rotation that was broken off is not ended: keys cannot be opened",
                    account_id=account_id,
                )
        return ended

    async def _finish(self, account_id: str) -> bool:
        row = await find_account_key(self._store, account_id)
        if row is None:
            return False
        with contextlib.suppress(Conflict):  # another node is at it: no reason not to start
            await self._sweep(account_id, row["account_key_id"])
            return True
        return False

    async def master(self) -> str:
        async with self._one_at_a_time:
            former = await find_master_id(self._store) or ""
            await asyncio.to_thread(self._masters.settle, former)  # of a rotation whose end nobody heard
            following = await asyncio.to_thread(self._masters.following, former)
            await self._ring.know(former)
            rewrap = self._under_master(following, await self._ring.know(following))

            async def unit(tx: Transaction) -> bool:
                return await sql.change_master(tx, former, following, self._clock.now_ms(), rewrap)

            if not await self._store.shred(unit):
                raise Conflict("Another node rotates the master key now.")
            await asyncio.to_thread(self._masters.settle, following)
            return following

    async def _sweep(self, account_id: str, key_id: str) -> int:
        """Bring everything under the newest key, batch by batch, then destroy the older ones.

        Raises Tampered when something lies under a key that is not there: it cannot be brought anywhere.
        """

        async def unit(tx: Transaction) -> bool:
            return await sql.destroy_former_account_keys(tx, account_id, key_id)

        moved = in_vain = 0
        while in_vain < TRIES:
            batch = await self._move(account_id, key_id)
            if await self._store.shred(unit):
                return moved + batch
            moved += batch
            in_vain = 0 if batch else in_vain + 1  # one may be in vain: a key that was made in between
        raise Tampered("A key lies under an account's key that is not there.")

    async def _move(self, account_id: str, key_id: str) -> int:
        moved = 0
        while True:
            newest = await find_account_key(self._store, account_id)
            if newest is None or newest["account_key_id"] != key_id:
                raise Conflict("Another node rotates this key now.")
            await self._ring.know(newest["master_id"])
            rewrap = self._under_account(account_id, newest)

            async def unit(tx: Transaction, rewrap: sql.Rewrap = rewrap) -> int:
                return await sql.rewrap_holders(tx, account_id, key_id, rewrap)

            batch = await self._store.write(unit)
            if not batch:
                return moved
            moved += batch

    def _under_account(self, account_id: str, newest: Row) -> Callable[[Row], bytes]:
        above = self._ring.open_account_key(account_id, newest)

        def rewrap(row: Row) -> bytes:
            key = self._ring.open_holder_key(account_id, row)
            holder = Holder(row["kind"], row["consumer_id"])
            return wrap(
                above, holder_name(account_id, holder, key.key_id, newest["account_key_id"]), key.secret
            )

        return rewrap

    def _under_master(self, master_id: str, above: bytes) -> Callable[[Row], bytes]:
        def rewrap(row: Row) -> bytes:
            secret = self._ring.open_account_key(row["account_id"], row)
            return wrap(above, account_name(row["account_id"], row["account_key_id"], master_id), secret)

        return rewrap
