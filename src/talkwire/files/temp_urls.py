"""Leave to PUT or GET one path for a minute: made with the account's keys, and checked by them."""

from typing import NamedTuple

from talkwire.accounts.cache import Cache
from talkwire.audit.acts import Acts
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.filestore import tempurl
from talkwire.files import store
from talkwire.files.askers import Askers
from talkwire.files.errors import TempUrlInvalid
from talkwire.files.model import Asker, TempUrl
from talkwire.files.paths import FilePath, parse_path
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, new_token
from talkwire.vault.sealed_texts import SealedTexts, Sealer

PURPOSE = "temp url key"
ROTATION_DELAY_MS = 20_000
"""A new key signs only when every node has read it: their caches are at most half as old."""


class SignedPath(NamedTuple):
    """A path whose URL was found genuine and alive until `expires` (unix seconds)."""

    relative_path: str
    named: FilePath
    expires: int


class TempUrls:
    """Signs and checks, with two keys per account so that a rotation kills no URL in flight."""

    def __init__(self, database: Database, clock: Clock, slot_seconds: int, sealer: Sealer | None) -> None:
        self._database = database
        self._secrets = SealedTexts(sealer, PURPOSE)
        self._clock = clock
        self._slot_seconds = slot_seconds
        self._askers = Askers(clock, slot_seconds)
        self._keys: Cache[AccountId, list[tuple[bytes, int]]] = Cache(clock, self._load)

    async def sign(
        self, method: str, account_id: AccountId, relative_path: str, asker: Asker | None = None
    ) -> TempUrl:
        """`asker`: who will be said to have fetched what the URL opens."""
        key = await self._signing_key(account_id)
        expires = self._clock.now_ms() // 1000 + self._slot_seconds
        if asker is not None:
            expires = self._askers.enter(asker, relative_path, expires)
        return TempUrl(relative_path, tempurl.sign(method, relative_path, expires, key), expires)

    async def check(self, method: str, path: str, signature: str, expires: str) -> SignedPath:
        """What a genuine URL names. `path` is decoded and begins with `/v1/`. Raises TempUrlInvalid."""
        named = parse_path(path)
        expires_at = tempurl.read_expires(expires)
        if named is None or not expires_at or expires_at < self._clock.now_ms() // 1000:
            raise TempUrlInvalid
        keys = [key for key, _ in await self._keys.find(named.account_id) or ()]
        if not tempurl.is_signed(method, path, expires_at, signature, keys):
            raise TempUrlInvalid
        return SignedPath(path, named, expires_at)

    def find_asker(self, signed: SignedPath) -> Asker | None:
        """Who asked for this download URL; None when that is not known for certain (another node signed it, say)."""
        return self._askers.find(signed.relative_path, signed.expires)

    async def rotate(self, account_id: AccountId, acts: Acts) -> None:
        """Bring in a new key, on record; the one in use stays valid until the next rotation."""
        signs_from_ms = self._clock.now_ms() + ROTATION_DELAY_MS
        await self._signing_key(account_id)
        secret = await self._secrets.seal(account_id, new_token())

        async def unit(tx: Transaction) -> None:
            await store.rotate_key(tx, account_id, secret, signs_from_ms)

        await acts.do(unit, Entry(account_id, Act.KEY_ROTATED, "temporary URL key"))
        self._keys.drop(account_id)

    async def _signing_key(self, account_id: AccountId) -> bytes:
        keys = await self._keys.find(account_id) or await self._make_first_key(account_id)
        now_ms = self._clock.now_ms()
        return next((key for key, signs_from_ms in keys if signs_from_ms <= now_ms), keys[-1][0])

    async def _make_first_key(self, account_id: AccountId) -> list[tuple[bytes, int]]:
        """In place of keys that were sealed by a vault that was lost, too."""
        secret = await self._secrets.seal(account_id, new_token())
        kept = await store.list_keys(self._database, account_id)
        lost = [number for number, text, _ in kept if await self._secrets.open(account_id, text) is None]

        async def unit(tx: Transaction) -> None:
            await store.delete_keys(tx, account_id, lost)
            await store.insert_first_key(tx, account_id, secret, self._clock.now_ms())

        await self._database.write(unit)
        self._keys.drop(account_id)
        return await self._load(account_id)

    async def _load(self, account_id: AccountId) -> list[tuple[bytes, int]]:
        """Kept when empty too, so that made-up accounts cost one read in a while."""
        kept = await store.list_keys(self._database, account_id)
        opened = [
            (await self._secrets.open(account_id, secret), signs_from_ms) for _, secret, signs_from_ms in kept
        ]
        return [(secret.encode(), signs_from_ms) for secret, signs_from_ms in opened if secret is not None]
