"""Values of the database held in memory: bounded, and never older than a few seconds.

A write through this node drops its key after COMMIT; a write by another node shows when the value is
too old. A value that was being read while its key was dropped is handed out once but not kept.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from talkwire.kernel.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_AGE_MS = 10_000


class Cache(Generic[K, V]):
    """Answers from memory what `load` would answer. What `load` answers with None is not kept."""

    def __init__(
        self, clock: Clock, load: Callable[[K], Awaitable[V | None]], *, capacity: int = 10_000
    ) -> None:
        self._clock = clock
        self._load = load
        self._capacity = capacity
        self._held: OrderedDict[K, tuple[int, V]] = OrderedDict()
        self._drops = 0

    async def find(self, key: K) -> V | None:
        held = self._held.get(key)
        if held is not None and 0 <= self._clock.now_ms() - held[0] < MAX_AGE_MS:
            return held[1]
        drops, now_ms = self._drops, self._clock.now_ms()
        value = await self._load(key)
        if drops == self._drops:
            self._keep(key, now_ms, value)
        return value

    def drop(self, key: K) -> None:
        self._drops += 1
        self._held.pop(key, None)

    def drop_all(self) -> None:
        self._drops += 1
        self._held.clear()

    def _keep(self, key: K, now_ms: int, value: V | None) -> None:
        self._held.pop(key, None)
        if value is None:
            return
        self._held[key] = (now_ms, value)
        if len(self._held) > self._capacity:
            self._held.popitem(last=False)
