"""Carrying out requests, and carrying them out again on data that was restored."""

import logging
from collections.abc import Sequence
from typing import Protocol

from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.history import erasure_rules as rules
from talkwire.history import erasure_store as store
from talkwire.history.erasing import Erasing
from talkwire.history.erasure_check import ErasureCheck
from talkwire.history.erasure_errors import NotYetVerified
from talkwire.history.erasure_model import ErasureRequest, Item, ItemKind, LedgerEntry, RequestState
from talkwire.history.erasure_plan import Planner
from talkwire.history.ledger import Ledger, entry_of, entry_of_receipt, items_of
from talkwire.history.receipt_keys import ReceiptKeys
from talkwire.history.receipt_text import receipt_of
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId

CLAIM_MS = 15 * 60_000
"""How long a node may be at one request before another takes it up."""

_log = logging.getLogger(__name__)


class Scrubbing(Protocol):
    """A database that can rid its files of what was overwritten."""

    async def scrub(self) -> None: ...


class Trail(Protocol):
    """What this asks of the audit."""

    async def record(self, *entries: Entry) -> None: ...


class Workshop:
    """What carrying out takes: looking, erasing, reading back."""

    def __init__(
        self, planner: Planner, erasing: Erasing, check: ErasureCheck, scrubbing: Scrubbing | None
    ) -> None:
        self._planner = planner
        self._erasing = erasing
        self._check = check
        self._scrubbing = scrubbing
        self.plan = planner.plan
        self.list_back = check.list_back

    async def erase(self, account_id: AccountId, items: Sequence[Item]) -> list[Item]:
        """Erase and read back; the items with what was of them. Raises NotYetVerified."""
        erased = await self._erasing.erase(account_id, items)
        if self._scrubbing is not None:
            await self._scrubbing.scrub()
        left = await self._check.left_of(account_id, erased)
        if left:
            raise NotYetVerified(f"{len(left)} things are still there, first {left[0]}")
        return erased


class ErasureRuns:
    """The job that carries out what is due. `overdue` counts requests past their deadline: an alarm."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        workshop: Workshop,
        ledger: Ledger,
        receipt_keys: ReceiptKeys,
        trail: Trail,
    ) -> None:
        self.overdue = 0
        self._database = database
        self._clock = clock
        self._workshop = workshop
        self._ledger = ledger
        self._receipt_keys = receipt_keys
        self._trail = trail

    async def carry_out_due(self) -> None:
        """Erase what is due; what fails is logged, and tried again later."""
        while request := await self._claim():
            try:
                await self._carry_out(request)
            except Exception:  # noqa: BLE001 -- one that fails holds no other up
                _log.exception("Erasure %d is not done; it will be tried again.", request.request_id)
                await self._postpone(request, request.left_open, rules.RETRY_MS)
        self.overdue = await store.count_overdue(self._database, self._clock.now_ms())
        if self.overdue:
            _log.error("%d erasures are past their deadline.", self.overdue)

    async def replay(self) -> int:
        """Carry out what the ledger knows and this database does not; how many entries that were.

        Before a node opens: data that was restored may hold what was erased since, and requests that were taken
        back since. The ledger learns what was cancelled here and not noted (a crash in between).
        """
        await self._ledger.note_cancelled(await store.list_cancelled(self._database))
        seen = await store.list_seen(self._database)
        unseen = [entry for entry in await self._ledger.list_entries() if entry.entry_id not in seen]
        settled = [entry for entry in unseen if await self._is_settled(entry)]
        await self._note_seen(settled)
        missing = [entry for entry in unseen if entry not in settled]
        for entry in sorted(missing, key=lambda entry: not entry.is_cancellation):
            await self._replay(entry)
        now_ms = self._clock.now_ms()

        async def release(tx: Transaction) -> None:
            await store.release_claims(tx, now_ms)

        await self._database.write(release)
        if missing:
            _log.warning("%d entries of the ledger were carried out again on this data.", len(missing))
        return len(missing)

    async def _is_settled(self, entry: LedgerEntry) -> bool:
        """Whether it is of a try that failed, and a later one took the same and more in hand and was done.

        Doing it once more would erase whatever its people brought since they came again.
        """
        request = await store.find_request(self._database, entry.account_id, entry.request.request_id)
        is_done = request is not None and request.state is RequestState.DONE
        return is_done and not entry.receipt and not entry.is_cancellation

    async def _note_seen(self, entries: Sequence[LedgerEntry]) -> None:
        now_ms = self._clock.now_ms()

        async def unit(tx: Transaction) -> None:
            for entry in entries:
                await store.insert_seen(tx, entry.account_id, entry.entry_id, now_ms)

        if entries:
            await self._database.write(unit)

    async def _claim(self) -> ErasureRequest | None:
        now_ms = self._clock.now_ms()

        async def unit(tx: Transaction) -> ErasureRequest | None:
            return await store.claim_due(tx, now_ms, now_ms + CLAIM_MS)

        return await self._database.write(unit)

    async def _carry_out(self, request: ErasureRequest) -> None:
        """Erase, and look again, until nothing is left that came in meanwhile.

        Whatever was stored before the last look is gone then: up to there the receipt speaks. That holds as well
        when the rounds ended because somebody never stops.
        """
        for _ in range(rules.MOST_ROUNDS):
            up_to_ms = self._clock.now_ms()
            plan = await self._workshop.plan(request)
            items = await self._items_to_erase(request, plan.items)
            if items:
                await self._erase(request, items)
            if plan.still_open:
                await self._postpone(request, len(plan.still_open), rules.WAIT_FOR_OPEN_MS)
                return
            if not items:
                break
        await self._finish(request, up_to_ms)

    async def _items_to_erase(self, request: ErasureRequest, planned: Sequence[Item]) -> list[Item]:
        before = await store.list_items(self._database, request.account_id, request.request_id)
        finished = [item for item in before if item.done_at_ms is not None]
        back = await self._workshop.list_back(request.account_id, finished)
        return rules.items_to_erase(planned, before, back)

    async def _erase(self, request: ErasureRequest, items: Sequence[Item]) -> None:
        entry = entry_of(request, items, self._clock.now_ms())

        async def begin(tx: Transaction) -> None:
            await store.insert_items(tx, request, items)
            await store.take_up_again(tx, request, items)

        await self._database.write(begin)
        await self._ledger.note(entry)
        erased = await self._workshop.erase(request.account_id, items)
        now_ms = self._clock.now_ms()

        async def done(tx: Transaction) -> None:
            await store.insert_items(tx, request, erased)  # some are found only when keys are gone
            await store.finish_items(tx, request, erased, now_ms)
            await store.insert_seen(tx, request.account_id, entry.entry_id, now_ms)

        await self._database.write(done)

    async def _finish(self, request: ErasureRequest, up_to_ms: int) -> None:
        """Sign the receipt; kept with the keys as well, it survives the data's restoring."""
        now_ms = self._clock.now_ms()
        items = await store.list_items(self._database, request.account_id, request.request_id)
        receipt = receipt_of(request, items, up_to_ms, now_ms)
        document = await self._receipt_keys.sign(request.account_id, receipt)
        entry = entry_of_receipt(request, document, now_ms)
        counts = {kind.value: sum(1 for i in items if i.kind is kind) for kind in ItemKind}
        await self._trail.record(
            Entry(request.account_id, Act.ERASED, str(request.request_id), actor="server", detail=dict(counts))
        )  # fmt: skip
        await self._ledger.note(entry)

        async def unit(tx: Transaction) -> None:
            await _settle(tx, entry, now_ms)

        await self._database.write(unit)

    async def _postpone(self, request: ErasureRequest, left_open: int, wait_ms: int) -> None:
        next_ms = self._clock.now_ms() + wait_ms

        async def unit(tx: Transaction) -> None:
            await store.set_left(tx, request, left_open, next_ms)

        await self._database.write(unit)

    async def _replay(self, entry: LedgerEntry) -> None:
        now_ms = self._clock.now_ms()
        before = await store.list_items(self._database, entry.account_id, entry.request.request_id)
        items = rules.with_details(items_of(entry), before)
        erased = await self._workshop.erase(entry.account_id, items) if items else []

        async def unit(tx: Transaction) -> None:
            if entry.is_cancellation:
                await store.cancel_again(tx, entry.request)
                await store.insert_seen(tx, entry.account_id, entry.entry_id, now_ms)
                return
            await store.insert_request(tx, entry.request)
            if entry.receipt:
                await _settle(tx, entry, now_ms)
                return
            await store.insert_items(tx, entry.request, erased)
            await store.finish_items(tx, entry.request, erased, now_ms)
            await store.insert_seen(tx, entry.account_id, entry.entry_id, now_ms)
            await store.set_left(tx, entry.request, entry.request.left_open, now_ms)

        await self._database.write(unit)


async def _settle(tx: Transaction, entry: LedgerEntry, now_ms: int) -> None:
    account_id, request_id = entry.account_id, entry.request.request_id
    await store.insert_receipt(tx, account_id, request_id, entry.receipt, entry.at_ms)
    await store.set_done(tx, account_id, request_id)
    await store.insert_seen(tx, account_id, entry.entry_id, now_ms)
