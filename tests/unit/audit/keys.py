"""A vault for tests: real locks, keys in memory."""

import os

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
        if (account_id, consumer_id) not in self._keys:
            return None
        return self._open((account_id, consumer_id), "", sealed)

    def destroy(self, account_id: str, consumer_id: str) -> None:
        del self._keys[account_id, consumer_id]

    def _lock(self, holder: tuple[str, str], purpose: str, plain: bytes) -> bytes:
        key = self._keys.setdefault(holder, os.urandom(32))
        nonce = os.urandom(12)
        return nonce + AESGCM(key).encrypt(nonce, plain, purpose.encode())

    def _open(self, holder: tuple[str, str], purpose: str, sealed: bytes) -> bytes:
        return AESGCM(self._keys[holder]).decrypt(sealed[:12], sealed[12:], purpose.encode())
