"""The vault: keys of files, consumers and accounts, and small values sealed under them."""

from collections.abc import Iterator, Sequence

from talkwire.backends.database.port import Row, Transaction
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import new_growing_id
from talkwire.vault import shredding_store as shredding
from talkwire.vault import store as sql
from talkwire.vault.cache import KeyCache
from talkwire.vault.errors import KeyDestroyed, Tampered
from talkwire.vault.grouping import GroupedWraps
from talkwire.vault.keyring import TRIES, Keyring, file_name
from talkwire.vault.masters import Masters
from talkwire.vault.model import CONSUMER, SEALING, STAGING, Counts, FileKey, Holder, HolderKey, Wrapped
from talkwire.vault.rotation import Rotation
from talkwire.vault.wrapping import new_key, unwrap, wrap

CACHED_KEYS = 10_000
CACHE_SECONDS = 10.0
KEYS_PER_UNIT = 500
_ID_BYTES = 8


class Vault:
    """Makes, finds, shares and shreds keys. Made with `open`. Several nodes may share one key store.

    `ended`: accounts whose rotation had been broken off, and was ended by `open`.
    """

    def __init__(self, store: KeyStore, masters: Masters, clock: Clock) -> None:
        self.ended: list[str] = []
        self._store = store
        self._clock = clock
        self._ring = Keyring(store, masters, clock, CACHED_KEYS, CACHE_SECONDS)
        self._files: KeyCache[tuple[str, str], bytes] = KeyCache(clock, CACHED_KEYS, CACHE_SECONDS)
        self._held: KeyCache[tuple[str, str], frozenset[str]] = KeyCache(clock, CACHED_KEYS, CACHE_SECONDS)
        self._wraps = GroupedWraps(store)
        self._rotation = Rotation(store, masters, self._ring, clock)

    @classmethod
    async def open(cls, store: KeyStore, masters: Masters, clock: Clock) -> "Vault":
        """The vault on a migrated key store; ends rotations that were broken off. Raises MasterKeyWrong."""
        vault = cls(store, masters, clock)
        await vault._ring.open()
        vault.ended = await vault._rotation.finish()
        return vault

    # --- files ---

    async def create_file_key(self, account_id: str, holder: Holder, key: FileKey | None = None) -> FileKey:
        """A new key for one file, wrapped for its uploader. The wrap is durable when it returns.

        Who cannot wait for that brings the `key` (`new_file_key`), and lets nobody depend on it before.
        """
        key = key or new_file_key(self._clock.now_ms())
        for _ in range(TRIES):
            above = await self._ring.get(account_id, holder)
            epoch = self._files.epoch
            if await self._wraps.put(self._wrapped(account_id, key, above)):
                self._files.put((account_id, key.key_id), key.secret, epoch)
                self._note_held(account_id, key.key_id, above.key_id, self._held.epoch)
                return key
            self._ring.holders.drop((account_id, holder))  # shredded elsewhere since we read it
        raise Unavailable("A key could not be made now.")

    async def file_key(self, account_id: str, key_id: str) -> bytes:
        """The key of a file. Raises KeyDestroyed, Tampered."""
        secret = self._files.get((account_id, key_id))
        if secret is not None:
            return secret
        epoch = self._files.epoch
        rows = await sql.list_ways_to_file(self._store, account_id, key_id)
        if not rows:
            raise KeyDestroyed(key_id)
        secret = await self._open_one(account_id, key_id, rows)
        self._files.put((account_id, key_id), secret, epoch)
        return secret

    async def share_file_key(self, account_id: str, key_id: str, holder: Holder) -> None:
        """Wrap a file's key for one more holder; the staging wrap goes at the first consumer.

        Repeating it writes nothing. Raises KeyDestroyed, Tampered.
        """
        for _ in range(TRIES):
            above = await self._ring.get(account_id, holder)
            if await self._is_held(account_id, key_id, above.key_id):
                return
            if await self._share(account_id, key_id, above, takes_over=holder.kind == CONSUMER):
                return
            self._ring.holders.drop((account_id, holder))
        raise Unavailable("A key could not be shared now.")

    async def list_held(self, account_id: str, key_ids: Sequence[str]) -> set[str]:
        """Which of these keys can still be opened by anybody: what an erasure checks itself by."""
        held: set[str] = set()
        for part in _parts(key_ids):
            held |= await sql.list_held(self._store, account_id, part)
        return held

    async def list_made(
        self, from_ms: int, before_ms: int, after: tuple[str, str] = ("", ""), limit: int = 500
    ) -> list[tuple[str, str]]:
        """Account and id of file keys wrapped in a stretch of time, in order: what a sweep for strays goes by."""
        return await sql.list_made(self._store, from_ms, before_ms, after, limit)

    # --- destroying ---

    async def shred_file_keys(self, account_id: str, key_ids: Sequence[str]) -> int:
        """Destroy all wraps of these files' keys; returns how many there were. Gone from disk when it returns."""
        total = 0
        parts = list(_parts(key_ids))
        for number, part in enumerate(parts, 1):

            async def unit(tx: Transaction, part: Sequence[str] = part) -> int:
                return await shredding.destroy_file_keys(tx, account_id, part)

            destroy = self._store.shred if number == len(parts) else self._store.write
            try:
                total += await destroy(unit)
            finally:
                self._forget(account_id, part)
        return total

    async def shred_consumer(self, account_id: str, consumer_id: str) -> list[str]:
        """Destroy a consumer's key and every wrap under it; returns the file keys that nobody can open any more."""
        holder = Holder(CONSUMER, consumer_id)

        async def unit(tx: Transaction) -> list[str]:
            return await shredding.destroy_holder(tx, account_id, holder)

        try:
            alone = await self._store.shred(unit)
        finally:
            self._ring.holders.drop((account_id, holder))
        self._forget(account_id, alone)
        return alone

    # --- small values ---

    async def seal(self, account_id: str, purpose: str, plain: bytes) -> bytes:
        """Encrypt a small value that another store keeps. Opens only for the same account and purpose."""
        return _seal(
            await self._ring.get(account_id, Holder(SEALING)), ("sealed", account_id, purpose), plain
        )

    async def unseal(self, account_id: str, purpose: str, sealed: bytes) -> bytes:
        """What `seal` was given. Raises Tampered."""
        key = await self._ring.find(account_id, Holder(SEALING))
        if key is None or not _is_under(key, sealed):
            raise Tampered("A sealed value is of another key store, or was altered.")
        return unwrap(key.secret, ("sealed", account_id, purpose), sealed[_ID_BYTES:])

    async def seal_for(self, account_id: str, consumer_id: str, plain: bytes) -> bytes:
        """Encrypt a consumer's personal value: it becomes unreadable when the consumer is shredded."""
        key = await self._ring.get(account_id, Holder(CONSUMER, consumer_id))
        return _seal(key, ("sealed for", account_id, consumer_id), plain)

    async def seal_if_known(self, account_id: str, consumer_id: str, plain: bytes) -> bytes | None:
        """As `seal_for`, but None for a consumer who has no key (any more): none is made."""
        key = await self._ring.find(account_id, Holder(CONSUMER, consumer_id))
        return None if key is None else _seal(key, ("sealed for", account_id, consumer_id), plain)

    async def unseal_for(self, account_id: str, consumer_id: str, sealed: bytes) -> bytes | None:
        """What `seal_for` was given; None once the consumer's key is destroyed. Raises Tampered."""
        key = await self._ring.find(account_id, Holder(CONSUMER, consumer_id))
        if key is None or not _is_under(key, sealed):
            return None
        return unwrap(key.secret, ("sealed for", account_id, consumer_id), sealed[_ID_BYTES:])

    def key_id_of(self, sealed: bytes) -> str:
        """The name of the key under which a value was sealed."""
        return sealed[:_ID_BYTES].hex()

    async def list_owners(self, account_id: str, key_ids: Sequence[str]) -> dict[str, str]:
        """Consumers by their keys, of those of these keys that are not destroyed."""
        owners: dict[str, str] = {}
        for part in _parts(key_ids):
            owners |= await sql.list_owners(self._store, account_id, part)
        return owners

    # --- rotating ---

    async def rotate_account(self, account_id: str) -> int:
        """Give the account a new key, wrap everything beneath anew, destroy the old one. Traffic goes on.

        Returns how many keys were wrapped anew. Broken off at any moment it leaves everything readable, and
        the next start ends it. Raises NothingToRotate for an account without keys.
        """
        return await self._rotation.account(account_id)

    async def rotate_master(self) -> str:
        """Wrap all account keys with a new master key, destroy the old one; returns the new one's id.

        Traffic goes on; broken off at any moment it leaves everything readable. Raises NothingToRotate.
        """
        return await self._rotation.master()

    async def list_accounts(self) -> list[str]:
        """Accounts that have a key."""
        return await sql.list_accounts(self._store)

    async def counts(self) -> Counts:
        """What lies in the key store, for an operator."""
        accounts, consumers, files = await sql.count(self._store)
        unfinished = len(await sql.list_unfinished(self._store))
        return Counts(await sql.find_master_id(self._store) or "", accounts, unfinished, consumers, files)

    # --- inside ---

    def _wrapped(self, account_id: str, key: FileKey, above: HolderKey) -> Wrapped:
        wrapped = wrap(above.secret, file_name(account_id, key.key_id, above.key_id), key.secret)
        return Wrapped(account_id, key.key_id, above.key_id, wrapped, self._clock.now_ms())

    async def _open_one(self, account_id: str, key_id: str, rows: Sequence[Row]) -> bytes:
        failed = Tampered("A file's key does not open.")
        for row in rows:
            await self._ring.know(row["master_id"])
            try:
                above = self._ring.open_holder_key(account_id, row)
                return unwrap(above.secret, file_name(account_id, key_id, above.key_id), row["wrapped"])
            except Tampered as error:  # another holder's wrap may be whole
                failed = error
        raise failed

    async def _is_held(self, account_id: str, key_id: str, holder_key_id: str) -> bool:
        if holder_key_id in (self._held.get((account_id, key_id)) or ()):
            return True
        epoch = self._held.epoch
        if not await sql.is_held_by(self._store, account_id, key_id, holder_key_id):
            return False
        self._note_held(account_id, key_id, holder_key_id, epoch)
        return True

    def _note_held(self, account_id: str, key_id: str, holder_key_id: str, epoch: int) -> None:
        known = self._held.get((account_id, key_id)) or frozenset()
        self._held.put((account_id, key_id), known | {holder_key_id}, epoch)

    async def _share(self, account_id: str, key_id: str, above: HolderKey, *, takes_over: bool) -> bool:
        """False when the holder's key was destroyed meanwhile."""
        secret = await self.file_key(account_id, key_id)
        staging = await self._ring.find(account_id, Holder(STAGING)) if takes_over else None
        wrapped = self._wrapped(account_id, FileKey(key_id, secret), above)

        async def unit(tx: Transaction) -> tuple[bool, bool]:
            return await shredding.add_wrap(tx, wrapped, staging.key_id if staging else None)

        epoch = self._held.epoch
        file_is_there, holder_is_there = await self._store.write(unit)
        if not file_is_there:
            self._forget(account_id, [key_id])
            raise KeyDestroyed(key_id)
        if holder_is_there:
            self._note_held(account_id, key_id, above.key_id, epoch)
        return holder_is_there

    def _forget(self, account_id: str, key_ids: Sequence[str]) -> None:
        gone = [(account_id, key_id) for key_id in key_ids]
        self._files.drop(*gone)
        self._held.drop(*gone)


def new_file_key(now_ms: int) -> FileKey:
    """A key that nothing holds yet."""
    return FileKey(new_growing_id(now_ms), new_key())


def _seal(key: HolderKey, name: tuple[str, ...], plain: bytes) -> bytes:
    return bytes.fromhex(key.key_id) + wrap(key.secret, name, plain)


def _is_under(key: HolderKey, sealed: bytes) -> bool:
    return sealed[:_ID_BYTES] == bytes.fromhex(key.key_id)


def _parts(key_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    unique = sorted(set(key_ids))
    for at in range(0, len(unique), KEYS_PER_UNIT):
        yield unique[at : at + KEYS_PER_UNIT]
