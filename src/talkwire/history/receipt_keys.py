"""The keys that sign receipts: one per account, kept beside the ledger, its secret half sealed in the vault.

A key counts when its secret half opens in the vault and is that of the public one. Whoever can write rows, in the
data or in the key store, cannot make such a key: it is neither taken over nor published.
"""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from talkwire.backends.database.port import Database, Transaction
from talkwire.history import receipt_keys_store as store
from talkwire.history.ledger import KeySide
from talkwire.history.receipt_keys_store import ReceiptKey
from talkwire.history.receipts import key_id_of, public_hex, published_keys, signed
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId
from talkwire.vault.errors import Tampered

PURPOSE = "erasure receipts"

_log = logging.getLogger(__name__)


class Sealer(Protocol):
    """What this asks of the vault."""

    async def seal(self, account_id: str, purpose: str, plain: bytes) -> bytes: ...
    async def unseal(self, account_id: str, purpose: str, sealed: bytes) -> bytes: ...


class _Opened(NamedTuple):
    key: ReceiptKey
    private: Ed25519PrivateKey


class ReceiptKeys:
    """Signs receipts, and says with which keys. `take_over` comes before a node opens."""

    def __init__(self, key_store: KeySide, clock: Clock, sealer: Sealer) -> None:
        self._key_store = key_store
        self._clock = clock
        self._sealer = sealer

    async def published(self, account_id: AccountId) -> dict[str, Any]:
        """The public keys of an account, for whoever verifies."""
        opened = await self._list(account_id)
        return published_keys([(one.key.public_key, one.key.created_at_ms) for one in opened])

    async def sign(self, account_id: AccountId, receipt: dict[str, Any]) -> str:
        """The signed document."""
        opened = await self._list(account_id)
        newest = opened[0] if opened else await self._make(account_id)
        return signed(receipt, newest.private, newest.key.key_id)

    async def take_over(self, database: Database) -> int:
        """Copy what earlier versions kept in the data, and older data brings back, to the key store; how many.

        The rows in the data stay, and nobody reads them but this: should an older backup of the keys be put back
        some day, they are taken over once more.
        """
        taken = [one for one in await store.list_in_data(database) if not await self._is_kept(one)]
        genuine = [one for one in taken if await self._open(one)]
        for left in set(taken) - set(genuine):
            _log.warning("Receipt key %s in the data is none of ours; it is not published.", left.key_id)
        if genuine:
            await self._keep(genuine)
        return len(genuine)

    async def _list(self, account_id: AccountId) -> list[_Opened]:
        """Newest first."""
        keys = await store.list_keys(self._key_store.read, account_id)
        return [opened for key in keys if (opened := await self._open(key))]

    async def _open(self, key: ReceiptKey) -> _Opened | None:
        try:
            secret = await self._sealer.unseal(key.account_id, PURPOSE, key.sealed)
            private = Ed25519PrivateKey.from_private_bytes(secret)
        except (Tampered, ValueError):
            return None
        is_whole = public_hex(private) == key.public_key and key_id_of(key.public_key) == key.key_id
        return _Opened(key, private) if is_whole else None

    async def _is_kept(self, key: ReceiptKey) -> bool:
        return key in await store.list_keys(self._key_store.read, key.account_id)

    async def _keep(self, keys: Sequence[ReceiptKey]) -> None:
        async def unit(tx: Transaction) -> None:
            for key in keys:
                await store.insert_key(tx, key)

        await self._key_store.write(unit)

    async def _make(self, account_id: AccountId) -> _Opened:
        """Two nodes may make one each: both are published, and either verifies what it signed."""
        private = Ed25519PrivateKey.generate()
        sealed = await self._sealer.seal(account_id, PURPOSE, private.private_bytes_raw())
        public = public_hex(private)
        key = ReceiptKey(account_id, key_id_of(public), public, sealed, self._clock.now_ms())
        await self._keep([key])
        return _Opened(key, private)
