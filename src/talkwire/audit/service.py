"""The trail: what is done is recorded in the same commit, or before it is answered."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Iterable, Sequence

import msgspec
import structlog

from talkwire.audit import rules, store
from talkwire.audit.batch import Batch, Drafts
from talkwire.audit.errors import HeadMissing, TrailBehind
from talkwire.audit.model import Draft, Entry, Head, Sealed, Told
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.audit.refusals import Refusals
from talkwire.audit.rules import GENESIS
from talkwire.audit.sealing import CODE_PURPOSE, Boxes, IsErased, Sealer, nobody_is_erased
from talkwire.backends.database.port import Database, T, Transaction, Unit
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import TalkwireError, Unavailable

MOST_WAITING = 50_000
COMPLAIN_EVERY_MS = 3_600_000

log = structlog.get_logger()


class Trail:
    """The only door to the records of what was done.

    Whoever changes something in a unit of its own writes the record in the same unit: `seal` before it,
    `write` in it. The statements come last in the commit, once for all who share it: the head of the account's
    chain is locked from there to the end.
    Whoever answers without a unit awaits `record` first. Neither can be half done.
    """

    def __init__(
        self, database: Database, clock: Clock, sealer: Sealer, is_erased: IsErased = nobody_is_erased
    ) -> None:
        self.boxes = Boxes(database, sealer, is_erased)
        self._database = database
        self._clock = clock
        self._sealer = sealer
        self._codes: dict[str, bytes] = {}
        self._heads: dict[str, Head] = {}  # as last written, perhaps in vain: never believed, only tried
        self._batch: Batch | None = None
        self._recording = 0
        self._writing: set[asyncio.Task[None]] = set()
        self._refusals = Refusals(clock)
        self._complained: dict[str, int] = {}  # when it was logged that an account's trail cannot be opened

    async def record(self, *entries: Entry) -> None:
        """Durable when it returns. What is recorded at once shares a commit. Raises Unavailable."""
        await self._record([_told(entry) for entry in entries])

    async def _record(self, told: Sequence[Told]) -> None:
        if self._recording > MOST_WAITING:
            raise TrailBehind
        drafts = [(one.entry.account_id, await self._draft(one)) for one in told]
        if self._batch is None or not self._batch.add(drafts):
            self._batch = self._begin_batch(drafts)
        self._recording += len(drafts)
        try:
            await asyncio.shield(self._batch.written)  # who goes away takes nobody's record along
        finally:
            self._recording -= len(drafts)

    async def refuse(self, entry: Entry, refusal: TalkwireError) -> None:
        """Record that something was refused, and why; the same refusal at most once a minute, then counted.

        Who goes away meanwhile takes no record along. What only has to be tried again (Unavailable) is none.
        Raises Unavailable.
        """
        if isinstance(refusal, Unavailable):
            return
        detail = {**entry.detail, "reason": type(refusal).__name__, "says": str(refusal)}
        told = self._refusals.let_through(_told(msgspec.structs.replace(entry, detail=detail)))
        if told:
            await self._see_through(self._record_or_put_back(told))

    async def tell_refusals(self, *, of_all: bool = False) -> None:
        """Record how many refusals were held back in minutes that are over, or `of_all`.

        Those of a trail that cannot be opened are held back further. Raises Unavailable.
        """
        counts = self._refusals.take_counts(of_all=of_all)
        if counts:
            await self._see_through(self._tell_each(counts))

    async def do(self, unit: Unit[T], *entries: Entry, then: Callable[[T], None] | None = None) -> T:
        """Do a unit of work and record it in the same commit; returns the unit's result."""
        sealed = await self.seal(*entries)

        async def recorded(tx: Transaction) -> T:
            result = await unit(tx)
            await self.write(tx, sealed)
            return result

        return await self._database.write(recorded, then)

    async def seal(self, *entries: Entry) -> Sealed:
        """Make entries ready for `write`: everything that needs keys or reads, so that a unit need not."""
        by_account: dict[str, list[Draft]] = {}
        for entry in entries:
            by_account.setdefault(entry.account_id, []).append(await self._draft(_told(entry)))
        return Sealed(by_account, {account_id: self._codes[account_id] for account_id in by_account})

    async def write(self, tx: Transaction, sealed: Sealed) -> None:
        """Chain entries in the unit that does what they say. Awaits only `tx`; may be run again.

        They are written before COMMIT, together with those of whoever shares it.
        """
        await tx.at_end(self._chain, sealed)

    async def _chain(self, tx: Transaction, parts: Sequence[Sealed]) -> None:
        whole = parts[0] if len(parts) == 1 else _joined(parts)
        for account_id in sorted(whole.by_account):  # one order for all, so that nobody deadlocks
            drafts, key = whole.by_account[account_id], whole.codes[account_id]
            head = self._heads.get(account_id) or await store.lock_head(tx, account_id)
            if head is not None and not await self._follow(tx, account_id, head, drafts, key):
                # written by another node, or by a unit that was undone
                head = await store.lock_head(tx, account_id)
                head = head and await self._follow(tx, account_id, head, drafts, key)
            if head is None:
                raise HeadMissing

    async def _follow(
        self, tx: Transaction, account_id: str, head: Head, drafts: list[Draft], key: bytes
    ) -> Head | None:
        """Chain drafts behind `head`; the head then, or None when the chain ends elsewhere by now."""
        records = rules.chain(account_id, head, drafts)
        after = Head(records[-1].number, records[-1].hash)
        if not await store.move_head(tx, account_id, head, after, rules.code_of(key, account_id, after)):
            return None
        await store.insert_records(tx, records)
        self._heads[account_id] = after
        return after

    async def forget(self, tx: Transaction, account_id: str, consumer_id: str) -> None:
        """Part a consumer's records from the consumer, in the unit that erases; the chain stays whole."""
        await self.boxes.forget(tx, account_id, consumer_id)

    async def close(self) -> None:
        """Wait until what was handed in, and what was held back, is recorded."""
        try:
            with contextlib.suppress(Unavailable):  # then it is lost, as all that cannot be recorded any more
                await self.tell_refusals(of_all=True)
        finally:
            while self._writing:
                await asyncio.wait(self._writing)

    async def _see_through(self, work: Coroutine[None, None, None]) -> None:
        """To its end, also when whoever waits for it goes away."""
        task = asyncio.create_task(work, name="audit: refusals")
        self._writing.add(task)
        task.add_done_callback(self._written)
        await asyncio.shield(task)

    async def _tell_each(self, counts: Sequence[Told]) -> None:
        """Account by account: a trail that somebody tampered with holds no other up."""
        failed: Unavailable | None = None
        for account_id in sorted({one.entry.account_id for one in counts}):
            try:
                await self._record_or_put_back([one for one in counts if one.entry.account_id == account_id])
            except Unavailable as error:
                failed = error
            except Exception as error:  # noqa: BLE001 -- logged; what was held back is kept
                self._complain(account_id, error)
        if failed is not None:
            raise failed

    def _complain(self, account_id: str, error: Exception) -> None:
        """Log once an hour what comes back at every look."""
        now_ms = self._clock.now_ms()
        if not 0 <= now_ms - self._complained.get(account_id, -COMPLAIN_EVERY_MS) < COMPLAIN_EVERY_MS:
            self._complained[account_id] = now_ms
            told = "refusals are not on record: the trail cannot be opened"
            log.error(told, account_id=account_id, exc_info=error)

    async def _record_or_put_back(self, refusals: Sequence[Told]) -> None:
        try:
            await self._record(refusals)
        except BaseException:
            self._refusals.put_back(refusals)
            raise

    async def _draft(self, told: Told) -> Draft:
        entry, actor, address = told
        if entry.is_anybodys:
            actor = address = ""
        if entry.account_id not in self._codes:
            await self._begin(entry.account_id)
        now_ms = self._clock.now_ms()
        person, box = "", b""
        if entry.consumer_id:
            is_own = rules.is_own_act(entry, actor)
            person, box = await self.boxes.lock(
                entry.account_id,
                entry.consumer_id,
                actor if is_own else "",
                address if is_own else "",
                now_ms,
            )
        return rules.draft_of(entry, at_ms=now_ms, actor=actor, address=address, person=person, box=box)

    async def _begin(self, account_id: str) -> None:
        """Have the key of the account's head at hand; make it when this is its first entry."""
        found = await store.find_head(self._database, account_id)
        if found is not None:
            sealed_key = found[2]
        else:
            key = os.urandom(32)
            sealed = await self._sealer.seal(account_id, CODE_PURPOSE, key)
            code = rules.code_of(key, account_id, GENESIS)

            async def unit(tx: Transaction) -> bytes:
                return await store.insert_head(tx, account_id, GENESIS, code, sealed)

            sealed_key = await self._database.write(unit)
        self._codes[account_id] = await self._sealer.unseal(account_id, CODE_PURPOSE, sealed_key)

    def _begin_batch(self, drafts: Drafts) -> Batch:
        batch = Batch(drafts)
        batch.written = asyncio.get_running_loop().create_task(self._commit(batch), name="audit: writer")
        self._writing.add(batch.written)
        batch.written.add_done_callback(self._written)
        return batch

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()  # who has gone need not be told

    async def _commit(self, batch: Batch) -> None:
        """One unit for whoever comes before the database takes it up. Raises Unavailable to them all."""

        async def unit(tx: Transaction) -> None:
            await self.write(tx, self._sealed(batch.close()))

        try:
            await self._database.write(unit)
        finally:
            batch.close()  # also when the database never came to it

    def _sealed(self, drafts: Iterable[tuple[str, Draft]]) -> Sealed:
        by_account: dict[str, list[Draft]] = {}
        for account_id, draft in drafts:
            by_account.setdefault(account_id, []).append(draft)
        return Sealed(by_account, self._codes)


def _told(entry: Entry) -> Told:
    return Told(entry, entry.actor or ACTOR.get(), ORIGIN.get())


def _joined(parts: Sequence[Sealed]) -> Sealed:
    """All of them, in order."""
    by_account: dict[str, list[Draft]] = {}
    codes: dict[str, bytes] = {}
    for part in parts:
        codes |= part.codes
        for account_id, drafts in part.by_account.items():
            by_account.setdefault(account_id, []).extend(drafts)
    return Sealed(by_account, codes)
