"""The FIFO both adapters share: what waits for a commit, when a commit starts, how a batch is settled.

Everything here runs on the event loop's thread, except `take`, which the adapter calls wherever it writes.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from talkwire.backends.database.port import Append, Outcome, T, Transaction, Unit
from talkwire.kernel.errors import Unavailable

MOST_ENTRIES_PER_COMMIT = 1000

_log = logging.getLogger(__name__)


class Work(ABC):
    """A unit of work in the queue, and what came of it."""

    __slots__ = ("error", "result", "unit")

    def __init__(self, unit: Unit[Any]) -> None:
        self.unit = unit
        self.result: Any = None
        self.error: BaseException | None = None

    @abstractmethod
    def settle(self) -> None:
        """Tell whoever handed it in."""


class Awaited(Work):
    """A unit that somebody waits for."""

    __slots__ = ("_done", "_then")

    def __init__(
        self, unit: Unit[Any], then: Callable[[Any], None] | None, done: asyncio.Future[Any]
    ) -> None:
        super().__init__(unit)
        self._then = then
        self._done = done

    def settle(self) -> None:
        error = self.error
        if error is None and self._then is not None:
            try:
                self._then(self.result)
            except Exception as failed:  # noqa: BLE001 -- it is raised to whoever awaits the write
                error = failed
        if self._done.done():  # whoever waited has gone; the work itself stands
            return
        if error is None:
            self._done.set_result(self.result)
        else:
            self._done.set_exception(error)


class Joint(Work):
    """An event that brings something along, in its place among the others."""

    __slots__ = ("entry",)

    def __init__(self, entry: Append) -> None:
        super().__init__(self._both)
        self.entry = entry

    async def _both(self, tx: Transaction) -> None:
        entry = self.entry
        entry.outcome = Outcome.PENDING
        await tx.append([entry])
        if entry.outcome is Outcome.APPENDED and entry.also is not None:
            await entry.also(tx, entry)

    def settle(self) -> None:
        entry = self.entry
        if self.error is not None:
            is_known = not isinstance(self.error, Unavailable)
            entry.outcome = Outcome.REFUSED if is_known else Outcome.UNAVAILABLE
            entry.error = self.error
            entry.sequence = -1
        entry.settled(entry)


Entry = Append | Work

CommitHeard = Callable[[int, float], None]
"""Told the number of events in a commit and its seconds; on the writer's thread, so it must be quick."""


def heard_nothing(events: int, seconds: float) -> None:
    """Nobody counts."""


def events_in(batch: Sequence[Entry]) -> int:
    """How many of a batch are events; the others are units of work."""
    return sum(isinstance(entry, (Append, Joint)) for entry in batch)


class WriteQueue:
    """Entries in the order they were handed in.

    `start` is called once at the end of the loop turn in which an idle queue got its first entry. The
    adapter then calls `take` until it comes back empty, and after each commit `settle`, on the loop, with
    `idle=True` when it has stopped taking.
    """

    def __init__(self, start: Callable[[], None]) -> None:
        self._start = start
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Entry] = deque()
        self._under_way = False
        self._closed = False
        self._drained: asyncio.Future[None] | None = None

    def append(self, entry: Append) -> None:
        if self._closed:
            entry.outcome = Outcome.UNAVAILABLE
            self._loop.call_soon(entry.settled, entry)
            return
        self._waiting.append(entry if entry.also is None else Joint(entry))
        if not self._under_way:
            self._wake()

    async def write(self, unit: Unit[T], then: Callable[[T], None] | None = None) -> T:
        if self._closed:
            raise Unavailable("The database is closed.")
        done: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(Awaited(unit, then, done))
        if not self._under_way:
            self._wake()
        return await done

    def take(self) -> list[Entry]:
        """The next batch; empty when nothing waits. From any thread: a deque's ends are safe."""
        waiting = self._waiting
        pop = waiting.popleft
        return [pop() for _ in range(min(len(waiting), MOST_ENTRIES_PER_COMMIT))]

    def settle(self, batch: Sequence[Entry], *, idle: bool) -> None:
        """Tell everyone in the batch what came of it, in queue order, before any awaiting task resumes."""
        for entry in batch:
            try:
                if isinstance(entry, Append):
                    entry.settled(entry)
                else:
                    entry.settle()
            except Exception:  # noqa: BLE001 -- one caller's fault is not the others'
                _log.exception("A callback of the database's queue failed; the others go on.")
        if idle:
            self._rest()

    async def close(self) -> None:
        """Refuse what comes from now on; return when all that was handed in is settled."""
        self._closed = True
        if self._under_way:
            self._drained = self._loop.create_future()
            await self._drained

    def _wake(self) -> None:
        self._under_way = True
        self._loop.call_soon(self._start)

    def _rest(self) -> None:
        self._under_way = False
        if self._waiting:
            self._wake()
        elif self._drained is not None:
            self._drained.set_result(None)
            self._drained = None


def taken(waiting: deque[T]) -> list[T]:
    """Everything that waits, in whatever thread this is called.

    It is taken one by one out of the same deque: whoever adds to it just now adds to nothing that was put aside.
    """
    return [waiting.popleft() for _ in range(len(waiting))]


def fail(batch: Sequence[Entry], error: Unavailable) -> None:
    """Mark every member as not applied."""
    for entry in batch:
        if isinstance(entry, Append):
            entry.outcome = Outcome.UNAVAILABLE
            entry.sequence = -1
        else:
            entry.error = error
