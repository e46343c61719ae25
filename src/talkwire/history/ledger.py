"""The ledger of erasures: kept with the keys, so that older data cannot bring back what was erased since.

An entry is written before the first key is destroyed, and before a cancelling is answered. Data that is restored
from a backup lacks the newest entries; a node carries them out again before it opens (`ErasureRuns.replay`). What
stands in it are ids.
"""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from talkwire.backends.database.port import Row, Transaction
from talkwire.history import ledger_store as store
from talkwire.history.erasure_model import ErasureRequest, Item, ItemKind, LedgerEntry

_REFS = {
    ItemKind.CONSUMER: "consumers",
    ItemKind.CONVERSATION: "conversations",
    ItemKind.FILE: "files",
    ItemKind.SHARED_FILE: "shared_files",
}


class KeySide(Protocol):
    """What the ledger asks of the key store."""

    async def write(self, unit: Callable[[Transaction], Awaitable[Any]]) -> Any: ...
    async def read(self, sql: str, *args: object) -> Sequence[Row]: ...


def entry_of(request: ErasureRequest, items: Sequence[Item], at_ms: int) -> LedgerEntry:
    """What is about to be erased. The same things of the same request make the same entry."""
    refs = {field: tuple(sorted(i.ref for i in items if i.kind is kind)) for kind, field in _REFS.items()}
    return LedgerEntry(
        entry_id=_id_of(request, refs),
        account_id=request.account_id,
        at_ms=at_ms,
        request=request,
        consumers=refs["consumers"],
        conversations=refs["conversations"],
        files=refs["files"],
        shared_files=refs["shared_files"],
    )


def entry_of_receipt(request: ErasureRequest, receipt: str, at_ms: int) -> LedgerEntry:
    return LedgerEntry(
        entry_id=_id_of(request, "receipt"),
        account_id=request.account_id,
        at_ms=at_ms,
        request=request,
        receipt=receipt,
    )


def entry_of_cancelling(request: ErasureRequest) -> LedgerEntry:
    """`request` as it stands since it was taken back."""
    return LedgerEntry(
        entry_id=_id_of(request, "cancelled"),
        account_id=request.account_id,
        at_ms=request.cancelled_at_ms or 0,
        request=request,
    )


def _id_of(request: ErasureRequest, what: object) -> str:
    return sha256(msgspec.json.encode((request.account_id, request.request_id, what))).hexdigest()[:32]


def items_of(entry: LedgerEntry) -> list[Item]:
    """The things of an entry."""
    return [Item(kind, ref) for kind, field in _REFS.items() for ref in getattr(entry, field)]


class Ledger:
    """Entries only come in, never go."""

    def __init__(self, key_store: KeySide) -> None:
        self._key_store = key_store

    async def note(self, entry: LedgerEntry) -> None:
        """Keep an entry; durable when it returns."""

        async def unit(tx: Transaction) -> None:
            await store.insert_entry(tx, entry)

        await self._key_store.write(unit)

    async def note_cancelled(self, requests: Sequence[ErasureRequest]) -> None:
        """Keep that these were taken back, if it is not kept yet."""
        kept = {entry.entry_id for entry in await self.list_entries()}
        for entry in map(entry_of_cancelling, requests):
            if entry.entry_id not in kept:
                await self.note(entry)

    async def list_entries(self) -> list[LedgerEntry]:
        """Oldest first."""
        return await store.list_entries(self._key_store.read)
