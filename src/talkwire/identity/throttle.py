"""Counts per key and minute, so that nobody guesses or floods."""

from collections import OrderedDict

from talkwire.identity.errors import TooManyAttempts
from talkwire.kernel.clock import Clock

WINDOW_MS = 60_000


class Throttle:
    """At most `limit` of something per key in each minute that starts with the first of them.

    Holds `capacity` keys; beyond that the oldest windows are forgotten.
    """

    def __init__(self, clock: Clock, limit: int, *, capacity: int = 100_000) -> None:
        self._clock = clock
        self._limit = limit
        self._capacity = capacity
        self._windows: OrderedDict[tuple[str, ...], tuple[int, int]] = OrderedDict()  # start, count

    def check(self, *key: str) -> None:
        """Raise TooManyAttempts when the key has used up its minute; counts nothing."""
        start_ms, count = self._window(key)
        if count >= self._limit:
            wait_ms = start_ms + WINDOW_MS - self._clock.now_ms()
            raise TooManyAttempts("Too many attempts; wait a minute", max(1, -(-wait_ms // 1000)))

    def count(self, *key: str) -> None:
        start_ms, count = self._window(key)
        self._windows.pop(key, None)
        self._windows[key] = (start_ms, count + 1)
        if len(self._windows) > self._capacity:
            self._windows.popitem(last=False)

    def take(self, *key: str) -> None:
        """Check and count in one."""
        self.check(*key)
        self.count(*key)

    def give_back(self, *key: str) -> None:
        """Take back one count."""
        start_ms, count = self._window(key)
        if count:
            self._windows[key] = (start_ms, count - 1)

    def _window(self, key: tuple[str, ...]) -> tuple[int, int]:
        now_ms = self._clock.now_ms()
        start_ms, count = self._windows.get(key, (now_ms, 0))
        return (start_ms, count) if 0 <= now_ms - start_ms < WINDOW_MS else (now_ms, 0)
