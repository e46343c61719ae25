"""Our RS256 keys: one in use per account, older ones kept to check what they signed.

They lie in the database as PEM, sealed in the vault: the data alone signs nobody in.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.identity import consumer_store
from talkwire.identity.consumer_store import StoredKey
from talkwire.identity.errors import TooManyAttempts
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, new_uuid
from talkwire.vault.sealed_texts import SealedTexts, Sealer

T = TypeVar("T")

ALGORITHM = "RS256"
PURPOSE = "signing key"
KEY_BITS = 2048
MAX_WAITING = 2_000
LOOK_AGAIN_MS = 1_000
KEPT_MS = 32 * 86_400_000
"""How long a retired key still checks: longer than anything it signed can be renewed (730 h)."""


@dataclass(frozen=True)
class _Key:
    key_id: str
    private: rsa.RSAPrivateKey
    public: rsa.RSAPublicKey
    retired_at_ms: int | None


class SigningKeys:
    """Signs and rotates. RSA runs in a thread of its own; a signature takes about 0.3 ms there."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        make_key: Callable[[], rsa.RSAPrivateKey] = lambda: rsa.generate_private_key(65_537, KEY_BITS),
        acts: Acts | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self._database = database
        self._secrets = SealedTexts(sealer, PURPOSE)
        self._acts = acts or Unrecorded(database)
        self._clock = clock
        self._make_key = make_key
        self._keys: dict[AccountId, dict[str, _Key]] = {}
        self._missed: dict[AccountId, int] = {}
        self._locks: dict[AccountId, asyncio.Lock] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rsa")
        self._waiting = 0
        self._looking = asyncio.Lock()

    async def sign(self, account_id: AccountId, claims: dict[str, Any]) -> str:
        """A JWT of ours, by the account's key in use (made now if there is none)."""
        key = await self._current(account_id)
        headers = {"kid": key.key_id}
        return await self._run(lambda: jwt.encode(claims, key.private, algorithm=ALGORITHM, headers=headers))

    async def find_public(self, account_id: AccountId, key_id: str) -> rsa.RSAPublicKey | None:
        """The key a token names, in use or retired.

        An unknown name is looked up in the database at most once a second per account: another node may
        have rotated, or somebody may be guessing.
        """
        now_ms = self._clock.now_ms()
        key = self._keys.get(account_id, {}).get(key_id)
        if key is None:
            async with self._looking:  # a crowd that comes back after a restart needs one look, not one each
                key = await self._look(account_id, key_id, now_ms)
        if key is None or (key.retired_at_ms is not None and now_ms - key.retired_at_ms >= KEPT_MS):
            return None
        return key.public

    async def rotate(self, account_id: AccountId) -> str:
        """Sign with a new key from now on; nobody is signed out. Gives the new key's id."""
        private = await self._run(self._make_key)
        now_ms = self._clock.now_ms()
        sealed = await self._secrets.seal(account_id, _pem_of(private))
        stored = StoredKey(account_id, new_uuid(), sealed, now_ms, None)

        async def unit(tx: Transaction) -> None:
            await consumer_store.retire_keys(tx, account_id, now_ms)
            await consumer_store.delete_old_keys(tx, account_id, now_ms - KEPT_MS)
            await consumer_store.insert_key(tx, stored)

        await self._acts.do(unit, Entry(account_id, Act.KEY_ROTATED, f"signing key {stored.key_id}"))
        await self._load(account_id)
        return stored.key_id

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _current(self, account_id: AccountId) -> _Key:
        key = _in_use(self._keys.get(account_id, {}))
        if key is not None:
            return key
        async with self._locks.setdefault(account_id, asyncio.Lock()):
            key = _in_use(self._keys.get(account_id, {})) or _in_use(await self._load(account_id))
            if key is None:
                # ours to do, whoever happens to sign up first: nobody's address stands in the record of it
                await asyncio.create_task(self.rotate(account_id), context=Context())
                key = _in_use(self._keys[account_id])
        assert key is not None
        return key

    async def _load(self, account_id: AccountId) -> dict[str, _Key]:
        stored = await consumer_store.list_keys(self._database, account_id)
        known = self._keys.get(account_id, {})
        opened = [await self._open(one, known) for one in stored]
        keys = {one.key_id: one for one in opened if one is not None}
        if keys:
            self._keys[account_id] = keys
        return keys

    async def _look(self, account_id: AccountId, key_id: str, now_ms: int) -> _Key | None:
        key = self._keys.get(account_id, {}).get(key_id)
        if key is None and now_ms - self._missed.get(account_id, -LOOK_AGAIN_MS) >= LOOK_AGAIN_MS:
            key = (await self._load(account_id)).get(key_id)
            if key is None and account_id in self._keys:  # made-up accounts would let it grow without bound
                self._missed[account_id] = now_ms
        return key

    async def _open(self, stored: StoredKey, known: dict[str, _Key]) -> _Key | None:
        """None: sealed by keys that were lost since. Another takes its place, and who it signed in signs in anew."""
        if stored.key_id in known:
            private = known[stored.key_id].private
        else:
            pem = await self._secrets.open(stored.account_id, stored.sealed_pem)
            if pem is None:
                return None
            private = await self._run(lambda: _private_of(pem))
        return _Key(stored.key_id, private, private.public_key(), stored.retired_at_ms)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooManyAttempts("Too many sign-ups at once; try again in a moment", 2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _in_use(keys: dict[str, _Key]) -> _Key | None:
    return next((key for key in keys.values() if key.retired_at_ms is None), None)


def _pem_of(private: rsa.RSAPrivateKey) -> str:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _private_of(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key
