"""Unwrapped keys in memory: few, and not for long."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from talkwire.kernel.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class KeyCache(Generic[K, V]):
    """The latest `size` entries, each for `seconds` after it was read.

    The age bounds how long a key opens files here after another node destroyed it. Who reads a key takes
    `epoch` first and hands it to `put`: what was dropped meanwhile does not come back.
    """

    def __init__(self, clock: Clock, size: int, seconds: float) -> None:
        self._clock = clock
        self._size = size
        self._life_ms = int(seconds * 1000)
        self._entries: OrderedDict[K, tuple[int, V]] = OrderedDict()
        self.epoch = 0

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        now_ms = self._clock.now_ms()
        if not entry[0] <= now_ms < entry[0] + self._life_ms:  # a clock set back makes nothing live longer
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: K, value: V, epoch: int) -> None:
        if epoch != self.epoch:
            return
        self._entries.pop(key, None)
        self._entries[key] = (self._clock.now_ms(), value)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, *keys: K) -> None:
        self.epoch += 1
        for key in keys:
            self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)
