"""Whose turn it is to be judged: what takes long steps aside, and what failed before waits apart.

A scanner holds so many files at once, ours and only ours. Of its places most are for files that come fresh, some
for those it is slow with, and one for those it had no answer for: nothing fresh is ever behind either.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

StepAside = Callable[[], bool]


class Turns:
    """Places for files: `lanes` for fresh ones, one less for slow ones, one for all that failed before."""

    def __init__(self, lanes: int) -> None:
        self._fresh = asyncio.Semaphore(lanes)
        self._apart = asyncio.Semaphore(1)
        self._slow_places = lanes - 1

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[StepAside]:
        """A place in the order of coming. What is yielded gives it to the next and goes on aside, if there is room."""
        await self._fresh.acquire()
        is_aside = False

        def step_aside() -> bool:
            nonlocal is_aside
            if not self._slow_places:
                return False
            self._slow_places -= 1
            self._fresh.release()
            is_aside = True
            return True

        try:
            yield step_aside
        finally:
            if is_aside:
                self._slow_places += 1
            else:
                self._fresh.release()

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[StepAside]:
        """The one place for what failed before. There is no hurry in it."""
        async with self._apart:
            yield lambda: True
