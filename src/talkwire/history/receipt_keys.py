"""The keys that sign receipts: one per account, its secret half sealed in the vault."""

from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from talkwire.backends.database.port import Database, Transaction
from talkwire.history import erasure_store as store
from talkwire.history.erasure_store import ReceiptKey
from talkwire.history.receipts import key_id_of, public_hex, published_keys, signed
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId

PURPOSE = "erasure receipts"


class Sealer(Protocol):
    """What this asks of the vault."""

    async def seal(self, account_id: str, purpose: str, plain: bytes) -> bytes: ...
    async def unseal(self, account_id: str, purpose: str, sealed: bytes) -> bytes: ...


class ReceiptKeys:
    """Signs receipts. `sealer` may be absent where nothing is signed."""

    def __init__(self, database: Database, clock: Clock, sealer: Sealer | None = None) -> None:
        self._database = database
        self._clock = clock
        self._sealer = sealer

    async def published(self, account_id: AccountId) -> dict[str, Any]:
        """The public keys of an account, for whoever verifies."""
        keys = await store.list_receipt_keys(self._database, account_id)
        return published_keys([(key.public_key, key.created_at_ms) for key in keys])

    async def sign(self, account_id: AccountId, receipt: dict[str, Any]) -> str:
        """The signed document."""
        assert self._sealer is not None, "only a node signs"
        keys = await store.list_receipt_keys(self._database, account_id)
        newest = keys[0] if keys else await self._make(account_id, self._sealer)
        secret = await self._sealer.unseal(account_id, PURPOSE, newest.sealed)
        return signed(receipt, Ed25519PrivateKey.from_private_bytes(secret), newest.key_id)

    async def _make(self, account_id: AccountId, sealer: Sealer) -> ReceiptKey:
        """Two nodes may make one each: both are published, and either verifies what it signed."""
        private = Ed25519PrivateKey.generate()
        sealed = await sealer.seal(account_id, PURPOSE, private.private_bytes_raw())
        public = public_hex(private)
        key = ReceiptKey(account_id, key_id_of(public), public, sealed, self._clock.now_ms())

        async def unit(tx: Transaction) -> None:
            await store.insert_receipt_key(tx, key)

        await self._database.write(unit)
        return key
