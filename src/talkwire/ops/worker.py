"""Runs the jobs that rooms declare: each in its turn, cut when it takes too long, never the end of the node."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Self

import structlog

from talkwire.kernel.jobs import Job

log = structlog.get_logger()


def _ignore(name: str, result: str, seconds: float) -> None:
    """Nobody counts."""


class Worker:
    """Owns one task per job. Enter it to start them, leave it to cancel them."""

    def __init__(
        self,
        jobs: Sequence[Job],
        observe: Callable[[str, str, float], None] = _ignore,
    ) -> None:
        """`observe(name, "done" | "failed" | "timed out", seconds)` is told after each run."""
        self._jobs = tuple(jobs)
        self._observe = observe
        self._owner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def start(self) -> None:
        self._owner = asyncio.create_task(self._run_all(), name="worker")

    async def stop(self) -> None:
        """Cancel what runs and wait until it is gone. Jobs are safe to run again."""
        if self._owner is not None:
            self._owner.cancel()
            await asyncio.wait([self._owner])
            self._owner = None

    async def _run_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                group.create_task(self._repeat(job), name=f"job {job.name}")

    async def _repeat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(pause_seconds(job, random.random()))  # noqa: S311 -- no secret
            await self.run_once(job)

    async def run_once(self, job: Job) -> None:
        """Run one job now; what goes wrong is logged and counted, not raised."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(job.timeout.total_seconds()) as limit:
                await job.run()
            result = "done"
        except Exception:
            # the job's own TimeoutError is a failure; only ours is "timed out"
            result = "timed out" if limit.expired() else "failed"
            log.exception("job did not finish", job=job.name, result=result)
        self._observe(job.name, result, time.monotonic() - started)


def pause_seconds(job: Job, chance: float) -> float:
    """How long to wait before the next run: the interval, up to a tenth more or less (`chance` in [0, 1)).

    The jitter keeps the nodes of one cluster from all asking at once.
    """
    return job.every.total_seconds() * (0.9 + 0.2 * chance)
