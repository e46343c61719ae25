"""Rebuild pictures in worker processes: what goes out is what we encoded ourselves."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from talkwire.sanitation import wire
from talkwire.sanitation.errors import Busy, NoWorker, Rejected
from talkwire.sanitation.model import Limits, Reason, Rebuilt, Wish
from talkwire.sanitation.pool import Worker, WorkerFailed
from talkwire.sanitation.sniff import ImageType, sniff_whole

log = structlog.get_logger()

Read = Callable[[], Awaitable[bytes]]

_PREVIEW_BYTES = 1024 * 1024
"""A client's preview of more bytes is none."""


class Sanitizer:
    """A pool of workers. Opened once per node: `sanitizer = await Sanitizer.open(workers, limits)`."""

    def __init__(self, workers: int, limits: Limits) -> None:
        """Use `open`."""
        self._limits = limits
        self._workers = [Worker(limits) for _ in range(workers)]
        self._free: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        self._waiting = 0
        self._closed = False
        self._verdicts: Counter[str] = Counter()
        self._told: set[str] = set()

    @classmethod
    async def open(cls, workers: int = 0, limits: Limits | None = None) -> "Sanitizer":
        """A pool of so many workers at most; 0: one per core. Each starts when there is something to do for it."""
        sanitizer = cls(workers or _cores(), limits or Limits())
        for worker in sanitizer._workers:
            sanitizer._free.put_nowait(worker)
        return sanitizer

    async def ready(self) -> Mapping[str, bool]:
        """Have one worker that can work, before there is something to do. What it gave up, by name.

        Raises NoWorker.
        """
        async with self._worker() as worker:
            return worker.confinement

    async def rebuild(self, read: Read, wish: Wish) -> Rebuilt:
        """Decode and encode anew what `read` brings.

        `read` is called once, when a worker is free: nobody holds the bytes while they wait.
        Raises Rejected (a verdict, for good), Busy (the queue is full; or closing), NoWorker, and whatever
        `read` raises.
        """
        async with self._worker() as worker:
            return await self._do(worker, wire.Job(wish), await read())

    async def rebuild_preview(self, data: bytes, max_bytes: int) -> tuple[bytes, ImageType] | None:
        """A client's own preview, checked by its bytes and made anew, smaller than `max_bytes`.

        None when it is no picture. Raises Busy, NoWorker.
        """
        if len(data) > _PREVIEW_BYTES or sniff_whole(data) is None:
            return None
        job = wire.Job(Wish(preview_bytes=max_bytes), preview_only=True)
        try:
            async with self._worker() as worker:
                made = await self._do(worker, job, data)
        except Rejected:
            return None
        return (made.preview, made.preview_type) if made.preview else None

    async def close(self) -> None:
        """End the workers. What waits or is under way fails with Busy: it has no verdict."""
        self._closed = True
        for worker in self._workers:
            worker.condemn()
        for worker in self._workers:
            await worker.close()
        for worker in self._workers:  # whoever waits for one finds it closed
            self._free.put_nowait(worker)

    def confinement(self) -> dict[str, float]:
        """What the workers gave up: 1, or 0 where the kernel does not allow it. For a gauge."""
        given_up = [worker.confinement for worker in self._workers if worker.confinement]
        names = {name for one in given_up for name in one}
        return {name: float(all(one.get(name) for one in given_up)) for name in sorted(names)}

    def workload(self) -> dict[str, float]:
        """Workers that run, those at work, pictures that wait, and workers replaced. For a gauge."""
        running = sum(worker.pid is not None for worker in self._workers)
        return {
            "workers": running,
            "busy": max(0, len(self._workers) - self._free.qsize()),
            "waiting": self._waiting,
            "replaced": sum(max(0, worker.starts - 1) for worker in self._workers),
        }

    def verdicts(self) -> dict[str, float]:
        """How many pictures were rebuilt or rejected, by reason. For a gauge."""
        return dict(self._verdicts)

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[Worker]:
        """A worker of one's own that can work."""
        if self._closed or (self._free.empty() and self._waiting >= self._limits.queue):
            raise Busy
        self._waiting += 1
        try:
            worker = await self._free.get()
        finally:
            self._waiting -= 1
        try:
            if self._closed:
                raise Busy
            await self._make_ready(worker)
            yield worker
        finally:
            self._free.put_nowait(worker)

    async def _make_ready(self, worker: Worker) -> None:
        try:
            await worker.ready()
        except WorkerFailed as failure:
            self._tell("picture worker cannot start", trouble=str(failure))
            raise NoWorker from failure
        missing = sorted(name for name, done in worker.confinement.items() if not done)
        if missing:
            self._tell("picture workers are less confined than they could be", missing=", ".join(missing))

    def _tell(self, event: str, **values: str) -> None:
        """Once."""
        line = f"{event} {values}"
        if line not in self._told:
            self._told.add(line)
            log.warning(event, **values)

    async def _do(self, worker: Worker, job: wire.Job, data: bytes) -> Rebuilt:
        try:
            done, image, preview = await worker.do(job, data)
            made = Rebuilt(image, done.image_type, done.width, done.height, preview, done.preview_type)
            _check(made, job)
        except Rejected as refusal:
            if self._closed and refusal.reason is Reason.CRASHED:  # it was ended by us
                raise Busy from refusal
            if refusal.reason is Reason.CRASHED:
                worker.condemn()
            self._verdicts[refusal.reason.value] += 1
            raise
        self._verdicts["rebuilt"] += 1
        return made


def _check(made: Rebuilt, job: wire.Job) -> None:
    """A worker may have been taken over by what it decoded: at least its answer has the right shape."""
    has_image = job.preview_only or sniff_whole(made.image) is made.image_type
    is_small_enough = not job.wish.image_bytes or len(made.image) <= job.wish.image_bytes
    has_preview = not made.preview or (
        len(made.preview) < job.wish.preview_bytes and sniff_whole(made.preview) is made.preview_type
    )
    if not has_image or not is_small_enough or not has_preview:
        raise Rejected(Reason.CRASHED, "an answer of the wrong shape")


def _cores() -> int:
    """Those that we may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
