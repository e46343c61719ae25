"""Workers that go on until their shift is over, and finish what they have in hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

Worker = TypeVar("Worker")

LAST_ROUND_SECONDS = 30


@asynccontextmanager
async def shift(workers: Sequence[Worker], once: Callable[[Worker], Awaitable[None]]) -> AsyncIterator[None]:
    """Let every worker do `once` over and over until left. A failure of one ends them all, and is raised."""
    over = False

    async def go_on(worker: Worker) -> None:
        while not over:
            await once(worker)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(go_on(worker)) for worker in workers]
        try:
            yield
        finally:
            over = True
        async with asyncio.timeout(LAST_ROUND_SECONDS):
            await asyncio.wait(tasks)
