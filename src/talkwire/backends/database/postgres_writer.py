"""The appender: one task that writes what waits, in order, each run of events as one transaction."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from time import perf_counter
from typing import Any

import asyncpg

from talkwire.backends.database.numbering import DialogState
from talkwire.backends.database.port import Append, Ending, Endings, Row
from talkwire.backends.database.postgres_append import append_run, is_written
from talkwire.backends.database.postgres_errors import AGAIN, LOST, meaning_of
from talkwire.backends.database.queue import (
    CommitHeard,
    Entry,
    Work,
    WriteQueue,
    events_in,
    fail,
    heard_nothing,
)
from talkwire.kernel.errors import Unavailable

TRIES = 3
ACQUIRE_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.05
LOOK_FOR_SECONDS = 30.0

_log = logging.getLogger(__name__)


class PostgresTransaction:
    """What a unit sees."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._endings: Endings = {}

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        rows: Sequence[Row] = await self._connection.fetch(sql, *args)
        return rows

    async def execute(self, sql: str, *args: object) -> int:
        last = (await self._connection.execute(sql, *args)).rsplit(" ", 1)[-1]
        return int(last) if last.isdecimal() else 0

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        await self._connection.executemany(sql, rows)

    async def append(self, entries: Sequence[Append]) -> None:
        await append_run(self._connection, entries)

    async def at_end(self, finish: Ending, item: object) -> None:
        self._endings.setdefault(finish, []).append(item)

    async def end(self) -> None:
        """Before COMMIT: do what was left for it."""
        while self._endings:
            endings, self._endings = self._endings, {}
            for finish, items in endings.items():
                await finish(self, items)


class CommitUnanswered(Exception):
    """The connection went while COMMIT was under way."""


class PostgresWriter:
    """Drains the queue from a task of its own."""

    def __init__(self, pool: Any, queue: WriteQueue) -> None:
        self._pool = pool
        self._queue = queue
        self._woken = asyncio.Event()
        self.commit_heard: CommitHeard = heard_nothing
        self._task = asyncio.create_task(self._run(), name="talkwire-appender")

    def wake(self) -> None:
        self._woken.set()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while batch := self._queue.take():
                for kind, group in groupby(batch, type):
                    members = list(group)
                    for part in [members] if issubclass(kind, Append) else [[work] for work in members]:
                        started = perf_counter()
                        await self._commit(part)
                        self.commit_heard(events_in(part), perf_counter() - started)
                        self._queue.settle(part, idle=False)
            self._queue.settle((), idle=True)

    async def _commit(self, part: list[Entry]) -> None:
        """Apply a run of events or one unit, or mark it as not applied. Never raises."""
        apply = self._apply_work if isinstance(part[0], Work) else self._apply_run
        try:
            await apply(part)
        except Exception as error:  # noqa: BLE001 -- this task has to live; each member hears of it
            await self._give_up(part, error)

    async def _give_up(self, part: list[Entry], error: Exception) -> None:
        ours = meaning_of(error)
        first = part[0]
        if isinstance(first, Work):
            first.error = ours
        elif isinstance(ours, Unavailable):
            _log.warning("A commit of %d events failed: %s", len(part), error)
            fail(part, ours)
        elif len(part) > 1:  # one of them is poison: let the others live
            for entry in part:
                await self._commit([entry])
        else:
            _log.error("An event could not be written.", exc_info=error)
            fail(part, Unavailable("The event could not be written."))

    async def _apply_work(self, part: Sequence[Any]) -> None:
        (work,) = part
        xid: str | None = None

        async def apply(connection: Any) -> None:
            nonlocal xid
            xid = None
            transaction = PostgresTransaction(connection)
            work.result = await work.unit(transaction)
            await transaction.end()
            xid = await connection.fetchval("SELECT pg_current_xact_id_if_assigned()::text")

        async def was_applied(connection: Any) -> bool:
            if xid is None:
                return True
            status = "in progress"
            while status == "in progress":  # the server has not noticed yet that we went
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                status = await connection.fetchval("SELECT pg_xact_status($1::text::xid8)", xid)
            return bool(status == "committed")

        await self._transact(apply, was_applied)

    async def _apply_run(self, part: Sequence[Any]) -> None:
        moved: list[DialogState] = []

        async def apply(connection: Any) -> None:
            moved[:] = await append_run(connection, part)

        async def was_applied(connection: Any) -> bool:
            return not moved or await is_written(connection, part, moved)

        await self._transact(apply, was_applied)

    async def _transact(
        self, apply: Callable[[Any], Awaitable[None]], was_applied: Callable[[Any], Awaitable[bool]]
    ) -> None:
        """Commit exactly once, trying again what was certainly not applied."""
        for tries_left in reversed(range(TRIES)):
            try:
                await self._try(apply)
            except CommitUnanswered:
                if await self._ask(was_applied):
                    return
                if not tries_left:
                    raise Unavailable("The database cannot be reached now.") from None
            except (*AGAIN, *LOST):
                if not tries_left:
                    raise
            else:
                return

    async def _try(self, apply: Callable[[Any], Awaitable[None]]) -> None:
        connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        try:
            await connection.execute("BEGIN")
            try:
                await apply(connection)
            except BaseException:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            await _commit(connection)
        finally:
            await self._release(connection)

    async def _ask(self, was_applied: Callable[[Any], Awaitable[bool]]) -> bool:
        """Look whether a commit took place, for as long as it takes to get a connection, within reason."""
        deadline = asyncio.get_running_loop().time() + LOOK_FOR_SECONDS
        while True:
            try:
                async with (
                    self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection,
                    connection.transaction(),
                ):
                    return await was_applied(connection)
            except LOST as error:
                if asyncio.get_running_loop().time() > deadline:
                    _log.error(
                        "A commit was not answered, and what came of it cannot be looked up: %s", error
                    )
                    raise
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _release(self, connection: Any) -> None:
        try:
            await self._pool.release(connection)
        except LOST as error:  # what was committed is committed
            _log.info("A connection was lost when it was done: %s", error)


async def _commit(connection: Any) -> None:
    try:
        done = await connection.execute("COMMIT")
    except (*LOST, asyncpg.PostgresError) as error:
        if isinstance(error, LOST) or connection.is_closed():
            raise CommitUnanswered from error
        raise
    if done != "COMMIT":  # a unit swallowed a statement's error: PostgreSQL rolls back, and so do we
        raise RuntimeError("A unit went on after a statement of it had failed.")
