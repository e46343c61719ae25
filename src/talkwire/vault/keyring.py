"""The upper half of the key hierarchy: master keys open account keys, those open holders' keys."""

import asyncio

from talkwire.backends.database.port import Row, Transaction
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.vault import store as sql
from talkwire.vault.cache import KeyCache
from talkwire.vault.errors import MasterKeyWrong, Tampered
from talkwire.vault.masters import Masters
from talkwire.vault.model import Holder, HolderKey
from talkwire.vault.wrapping import Name, new_id, new_key, unwrap, wrap

TRIES = 5
"""Each try fails only when another node rotated or shredded in between."""


class Keyring:
    """Opens chains of wraps, and makes the keys of accounts and holders when they are first needed."""

    def __init__(self, store: KeyStore, masters: Masters, clock: Clock, size: int, seconds: float) -> None:
        self._store = store
        self._masters = masters
        self._clock = clock
        self._known = dict(masters.known())
        self.holders: KeyCache[tuple[str, Holder], HolderKey] = KeyCache(clock, size, seconds)

    async def open(self) -> str:
        """Agree with the key store on the master key in force; returns its id. Raises MasterKeyWrong."""
        in_force = await sql.find_master_id(self._store)
        if in_force is None:
            first = await asyncio.to_thread(self._masters.first)

            async def unit(tx: Transaction) -> str:
                return await sql.insert_first_master(tx, first, self._clock.now_ms())

            in_force = await self._store.write(unit)
        await self.know(in_force)
        await asyncio.to_thread(self._masters.settle, in_force)
        return in_force

    async def know(self, master_id: str) -> bytes:
        """The master key of that id. Raises MasterKeyWrong."""
        if master_id not in self._known:
            self._known |= await asyncio.to_thread(self._masters.known)
        return self.master(master_id)

    def master(self, master_id: str) -> bytes:
        """A master key that is in memory. Raises MasterKeyWrong."""
        try:
            return self._known[master_id]
        except KeyError:
            raise MasterKeyWrong(
                f"the key store was written with master key {master_id}, which is not the one given "
                f"({', '.join(self._known) or 'none'})"
            ) from None

    def open_account_key(self, account_id: str, row: Row) -> bytes:
        """The account's key from a row that has its account_key_id, master_id and account_wrapped."""
        name = account_name(account_id, row["account_key_id"], row["master_id"])
        return unwrap(self.master(row["master_id"]), name, row["account_wrapped"])

    def open_holder_key(self, account_id: str, row: Row) -> HolderKey:
        """The holder's key from a row with the chain above it. Raises Tampered, MasterKeyWrong."""
        holder = Holder(row["kind"], row["consumer_id"])
        name = holder_name(account_id, holder, row["holder_key_id"], row["account_key_id"])
        secret = unwrap(self.open_account_key(account_id, row), name, row["holder_wrapped"])
        return HolderKey(row["holder_key_id"], secret)

    async def find(self, account_id: str, holder: Holder) -> HolderKey | None:
        """The holder's key; None when it has none (any more)."""
        key = self.holders.get((account_id, holder))
        if key is not None:
            return key
        epoch = self.holders.epoch
        row = await sql.find_holder(self._store, account_id, holder)
        if row is None:
            return None
        await self.know(row["master_id"])
        key = self.open_holder_key(account_id, row)
        self.holders.put((account_id, holder), key, epoch)
        return key

    async def get(self, account_id: str, holder: Holder) -> HolderKey:
        """The holder's key, made if it has none. Two nodes that make it at once agree on one.

        Raises Tampered where the key above is gone: later it would be no better.
        """
        for _ in range(TRIES):
            key = await self.find(account_id, holder)
            if key is not None:
                return key
            await self._make_holder_key(account_id, holder)
        if await sql.is_adrift(self._store, account_id, holder):
            raise Tampered("A key lies under an account's key that is not there.")
        raise Unavailable("A key could not be made now.")

    async def _make_holder_key(self, account_id: str, holder: Holder) -> None:
        row = await self._account_key(account_id)
        await self.know(row["master_id"])
        above, above_id = self.open_account_key(account_id, row), row["account_key_id"]
        key_id = new_id()
        wrapped = wrap(above, holder_name(account_id, holder, key_id, above_id), new_key())

        async def unit(tx: Transaction) -> None:
            now_ms = self._clock.now_ms()
            await sql.insert_holder_key(tx, account_id, holder, key_id, above_id, wrapped, now_ms)

        await self._store.write(unit)

    async def _account_key(self, account_id: str) -> Row:
        for _ in range(TRIES):
            row = await sql.find_account_key(self._store, account_id)
            if row is not None:
                return row
            await self.add_account_key(account_id, None)
        raise Unavailable("A key could not be made now.")

    async def add_account_key(self, account_id: str, after: str | None) -> str | None:
        """Give the account a new key if its newest one is `after`; returns its id, None when it is not."""
        master_id = await sql.find_master_id(self._store) or ""
        key_id = new_id()
        wrapped = wrap(await self.know(master_id), account_name(account_id, key_id, master_id), new_key())

        async def unit(tx: Transaction) -> bool:
            if not await sql.hold_master(tx, master_id):
                return False
            if await sql.newest_account_key_id(tx, account_id) != after:
                return False
            await sql.insert_account_key(tx, account_id, key_id, master_id, wrapped, self._clock.now_ms())
            return True

        return key_id if await self._store.write(unit) else None


def account_name(account_id: str, key_id: str, master_id: str) -> Name:
    return ("account", account_id, key_id, master_id)


def holder_name(account_id: str, holder: Holder, key_id: str, account_key_id: str) -> Name:
    return (holder.kind, account_id, holder.consumer_id, key_id, account_key_id)


def file_name(account_id: str, key_id: str, holder_key_id: str) -> Name:
    return ("file", account_id, key_id, holder_key_id)
