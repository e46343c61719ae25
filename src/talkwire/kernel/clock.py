"""What time it is: a port, so that tests can move it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time in epoch milliseconds, the unit of the wire and of the database."""

    def now_ms(self) -> int: ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class MovableClock:
    """A clock that stands still until it is told to move. For tests and drills."""

    def __init__(self, now_ms: int = 1_704_164_705_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, *, seconds: float = 0, days: float = 0) -> None:
        self._now_ms += int((seconds + days * 86_400) * 1000)
