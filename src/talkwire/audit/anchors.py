"""Where each chain ended, kept with the keys, out of reach of whoever has the data alone.

The chain tells of everything but its own end: whoever can write the data could put back yesterday's copy of
it whole. What was anchored since then would be missing, and `talkwire audit verify` says so: an anchor is moved
on only while the data still has the record it names. Where it has not, it stays, however long the trail grows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from talkwire.audit import rules, store
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


class _Move(NamedTuple):
    account_id: str
    former: Head | None
    head: Head


class Anchors:
    """Keeps the heads of all chains in the key store.

    Several nodes may share it, and each may find the others' anchors further on than what it read of the data.
    `lacking`: accounts whose data lacked what was anchored, when it was last looked.
    """

    def __init__(self, database: Database, keys: KeyStore, clock: Clock) -> None:
        self.lacking: frozenset[str] = frozenset()
        self._database = database
        self._keys = keys
        self._clock = clock
        self._whole: dict[str, tuple[Head, Head]] = {}  # anchor and head, as found whole

    async def keep(self) -> None:
        """Write down what moved since the last time. A trail without the record at its anchor is reported each time."""
        heads = dict(await store.list_heads(self._database))
        anchors = dict(await _list_anchors(self._keys))
        moves, lacking = [], dict[str, Head]()
        for account_id in sorted(heads.keys() | anchors.keys()):
            anchor, head = anchors.get(account_id), heads.get(account_id)
            if not await self._is_whole(account_id, anchor, head):
                lacking[account_id] = anchor or rules.GENESIS
            elif head is not None and head.number > (anchor.number if anchor else 0):
                moves.append(_Move(account_id, anchor, head))
        self._report(lacking)
        if moves:
            await self._move(moves)

    async def _is_whole(self, account_id: str, anchor: Head | None, head: Head | None) -> bool:
        """Looked up once for each anchor and head; each time where another node's anchor is beyond the head."""
        if self._whole.get(account_id) == (anchor, head):
            return True
        is_whole = await has_anchored(self._database, account_id, anchor)
        if is_whole and anchor is not None and head is not None and anchor.number <= head.number:
            self._whole[account_id] = anchor, head
        return is_whole

    def _report(self, lacking: dict[str, Head]) -> None:
        self.lacking = frozenset(lacking)
        for account_id, anchor in lacking.items():
            log.error(
                "the audit trail lacks what was anchored", account_id=account_id, anchored_up_to=anchor.number
            )

    async def _move(self, moves: Sequence[_Move]) -> None:
        now_ms = self._clock.now_ms()

        async def unit(tx: Transaction) -> None:
            for move in moves:
                await _move_on(tx, move, now_ms)

        await self._keys.write(unit)

    async def has_trail(self, account_id: str) -> bool:
        """Whether the data has all that was anchored of an account. Not, if it knows no trail of it at all."""
        anchor = await find_anchor(self._keys, account_id)
        if anchor is None:
            return await store.find_head(self._database, account_id) is not None
        return await has_anchored(self._database, account_id, anchor.head)

    async def list_lacking(self) -> list[str]:
        """Accounts whose data lacks what was anchored, looked up now."""
        anchors = await _list_anchors(self._keys)
        return [one for one, anchor in anchors if not await has_anchored(self._database, one, anchor)]

    async def begin_anew(self, account_id: str) -> Anchor | None:
        """After a restore: anchor what is there now. Gives the former anchor, which the record of it names."""
        former = await find_anchor(self._keys, account_id)
        found = await store.find_head(self._database, account_id)
        now_ms = self._clock.now_ms()

        async def unit(tx: Transaction) -> None:
            await tx.execute("DELETE FROM audit_anchors WHERE account_id = $1", account_id)
            if found is not None:
                await _move_on(tx, _Move(account_id, None, found[0]), now_ms)

        await self._keys.write(unit)
        return former


async def has_anchored(database: Reader, account_id: str, anchor: Head | None) -> bool:
    """Whether the record that an anchor names is there, and the same."""
    if anchor is None or not anchor.number:  # nothing was recorded yet
        return True
    return await store.find_hash(database, account_id, anchor.number) == anchor.hash


async def find_anchor(keys: Reader, account_id: str) -> Anchor | None:
    rows = await keys.read("SELECT number, hash, at FROM audit_anchors WHERE account_id = $1", account_id)
    return Anchor(Head(rows[0]["number"], bytes(rows[0]["hash"])), rows[0]["at"]) if rows else None


async def list_anchored(keys: Reader) -> list[str]:
    """Every account whose chain was anchored: the operator's verification misses none."""
    return [account_id for account_id, _ in await _list_anchors(keys)]


async def _list_anchors(keys: Reader) -> list[tuple[str, Head]]:
    rows = await keys.read("SELECT account_id, number, hash FROM audit_anchors ORDER BY account_id")
    return [(row["account_id"], Head(row["number"], bytes(row["hash"]))) for row in rows]


async def _move_on(tx: Transaction, move: _Move, now_ms: int) -> None:
    """Anchor a head in place of the anchor that was looked at. Another node may have been quicker: then its stands."""
    if move.former is None:
        await tx.execute(
            "INSERT INTO audit_anchors (account_id, number, hash, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            move.account_id,
            *move.head,
            now_ms,
        )
        return
    await tx.execute(
        "UPDATE audit_anchors SET number = $4, hash = $5, at = $6"
        " WHERE account_id = $1 AND number = $2 AND hash = $3",
        move.account_id,
        *move.former,
        *move.head,
        now_ms,
    )
