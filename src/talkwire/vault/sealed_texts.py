"""Secrets in text columns of the database: sealed, so that whoever has the data alone opens no door with them."""

from typing import Protocol

import structlog

from talkwire.vault.errors import Tampered

MARK = "sealed:"

log = structlog.get_logger()


class Sealer(Protocol):
    """What this asks of the vault."""

    async def seal(self, account_id: str, purpose: str, plain: bytes) -> bytes: ...

    async def unseal(self, account_id: str, purpose: str, sealed: bytes) -> bytes: ...


class SealedTexts:
    """Seals the texts of one purpose. Without a sealer they stay as they are: for a database that is nobody's."""

    def __init__(self, sealer: Sealer | None, purpose: str) -> None:
        self._sealer = sealer
        self._purpose = purpose

    async def seal(self, account_id: str, text: str) -> str:
        if self._sealer is None:
            return text
        return MARK + (await self._sealer.seal(account_id, self._purpose, text.encode())).hex()

    async def open(self, account_id: str, kept: str) -> str | None:
        """The text; None when it was sealed by other keys than ours, or altered. What is not sealed comes as it is."""
        if self._sealer is None or not kept.startswith(MARK):
            return kept
        try:
            sealed = bytes.fromhex(kept.removeprefix(MARK))
            return (await self._sealer.unseal(account_id, self._purpose, sealed)).decode()
        except (Tampered, ValueError):
            log.warning("a secret in the database was not sealed by these keys", purpose=self._purpose)
            return None
