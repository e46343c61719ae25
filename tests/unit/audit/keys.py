"""A vault for tests: real locks, keys in memory."""

import os
from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Keys:
    """Keys of consumers and accounts, which can be destroyed."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], bytes] = {}

    async def seal(self, account_id: str, purpose: str, plain: bytes) -> bytes:
        return self._lock((account_id, ""), purpose, plain)

    async def unseal(self, account_id: str, purpose: str, sealed: bytes) -> bytes:
        return self._open((account_id, ""), purpose, sealed)

    async def seal_for(self, account_id: str, consumer_id: str, plain: bytes) -> bytes:
        return self._lock((account_id, consumer_id), "", plain)

    async def seal_if_known(self, account_id: str, consumer_id: str, plain: bytes) -> bytes | None:
        if (account_id, consumer_id) not in self._keys:
            return None
        return await self.seal_for(account_id, consumer_id, plain)

    async def unseal_for(self, account_id: str, consumer_id: str, sealed: bytes) -> bytes | None:
        key = self._keys.get((account_id, consumer_id))
        if key is None or _id_of(key) != self.key_id_of(sealed):
            return None
        return self._open((account_id, consumer_id), "", sealed)

    def key_id_of(self, sealed: bytes) -> str:
        return sealed[:8].hex()

    async def list_owners(self, account_id: str, key_ids: Sequence[str]) -> dict[str, str]:
        living = {_id_of(key): holder for holder, key in self._keys.items() if holder[0] == account_id}
        return {key_id: living[key_id][1] for key_id in key_ids if key_id in living}

    def destroy(self, account_id: str, consumer_id: str) -> None:
        del self._keys[account_id, consumer_id]

    def _lock(self, holder: tuple[str, str], purpose: str, plain: bytes) -> bytes:
        key = self._keys.setdefault(holder, os.urandom(32))
        nonce = os.urandom(12)
        return bytes.fromhex(_id_of(key)) + nonce + AESGCM(key).encrypt(nonce, plain, purpose.encode())

    def _open(self, holder: tuple[str, str], purpose: str, sealed: bytes) -> bytes:
        return AESGCM(self._keys[holder]).decrypt(sealed[8:20], sealed[20:], purpose.encode())


def _id_of(key: bytes) -> str:
    return sha256(key).hexdigest()[:16]
