"""Where each chain ended, kept with the keys, out of reach of whoever has the data alone.

The chain tells of everything but its own end: whoever can write the data could put back yesterday's copy of
it whole. What was anchored since then would be missing, and `talkwire audit verify` says so.
"""

from typing import NamedTuple

import structlog

from talkwire.audit import store
from talkwire.audit.model import Head
from talkwire.audit.store import Reader
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import Clock

log = structlog.get_logger()


class Anchor(NamedTuple):
    """Where a chain ended at a moment."""

    head: Head
    at_ms: int


class Anchors:
    """Keeps the heads of all chains in the key store."""

    def __init__(self, database: Database, keys: KeyStore, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._kept: dict[str, Head] = {}

    async def keep(self) -> None:
        """Write down what moved since the last time. A chain that went back is reported, and not anchored."""
        heads = await store.list_heads(self._database)
        moved = [(account_id, head) for account_id, head in heads if self._kept.get(account_id) != head]
        if not moved:
            return
        now_ms = self._clock.now_ms()

        async def unit(tx: Transaction) -> list[str]:
            return [
                account_id for account_id, head in moved if not await _raise(tx, account_id, head, now_ms)
            ]

        for account_id in await self._keys.write(unit):
            if await self._went_back(account_id):
                log.error("the audit trail is shorter than it was", account_id=account_id)
        self._kept.update(moved)

    async def _went_back(self, account_id: str) -> bool:
        """Whether what was anchored is there no more; another node may only have anchored what came later."""
        anchor = await find_anchor(self._keys, account_id)
        if anchor is None:
            return False
        return await store.find_hash(self._database, account_id, anchor.head.number) != anchor.head.hash

    async def begin_anew(self, account_id: str) -> Anchor | None:
        """After a restore: anchor what is there now. Gives the former anchor, which the record of it names."""
        former = await find_anchor(self._keys, account_id)

        async def unit(tx: Transaction) -> None:
            await tx.execute("DELETE FROM audit_anchors WHERE account_id = $1", account_id)

        await self._keys.write(unit)
        self._kept.pop(account_id, None)
        await self.keep()
        return former


async def find_anchor(keys: Reader, account_id: str) -> Anchor | None:
    rows = await keys.read("SELECT number, hash, at FROM audit_anchors WHERE account_id = $1", account_id)
    return Anchor(Head(rows[0]["number"], bytes(rows[0]["hash"])), rows[0]["at"]) if rows else None


async def list_anchored(keys: Reader) -> list[str]:
    """Every account whose chain was anchored: the operator's verification misses none."""
    rows = await keys.read("SELECT account_id FROM audit_anchors ORDER BY account_id")
    return [row["account_id"] for row in rows]


async def _raise(tx: Transaction, account_id: str, head: Head, now_ms: int) -> bool:
    """Anchor a head; False, and the old one stands, when that was further on or is another record."""
    changed = await tx.execute(
        "INSERT INTO audit_anchors (account_id, number, hash, at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (account_id) DO UPDATE SET number = excluded.number, hash = excluded.hash,"
        " at = excluded.at WHERE audit_anchors.number < excluded.number"
        " OR (audit_anchors.number = excluded.number AND audit_anchors.hash = excluded.hash)",
        account_id,
        head.number,
        head.hash,
        now_ms,
    )
    return changed > 0
