"""An owner for tasks that outlive a request: started by name, awaited or cancelled at the end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Failed = Callable[[str, BaseException], None]
"""Told the task's name and what it died of."""


class Tasks:
    """Holds tasks until they end. `failed` hears of every exception; nothing dies in silence."""

    def __init__(self, failed: Failed) -> None:
        self._failed = failed
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        running = tuple(self._tasks)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=5)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(task.get_name(), error)
