"""Processor time while something was measured: the server's, the generator's, and whatever else ran on the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.process import TICKS_PER_SECOND, cpu_seconds_of

IDLE_FIELDS = {3, 4}  # of the first line of /proc/stat: idle, waiting for a disk
GUEST_FIELDS = 8  # from here on they are counted a second time
WORTH_TELLING_CORES = 0.05


@dataclass(frozen=True)
class Effort:
    """All in seconds: how long it took, and what was used of all cores together."""

    passed: float
    server: float
    generator: float
    others: float

    @property
    def note(self) -> str:
        """Say so when the machine was not ours alone: then the figure is too low."""
        cores = self.others / self.passed
        return f"; others used {cores:.2f} cores" if cores > WORTH_TELLING_CORES else ""


class Meter:
    """Starts when it is made."""

    def __init__(self, server_cpu: Callable[[], float]) -> None:
        self._server_cpu = server_cpu
        self._first = self._look()

    def read(self) -> Effort:
        passed, server, own, whole = (now - then for now, then in zip(self._look(), self._first, strict=True))
        return Effort(passed, server, own, max(0.0, whole - server - own))

    def _look(self) -> tuple[float, float, float, float]:
        return time.perf_counter(), self._server_cpu(), cpu_seconds_of(os.getpid()), _busy_seconds()


def _busy_seconds() -> float:
    """Return the processor time that all of the machine has used since it started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return sum(v for at, v in enumerate(fields[:GUEST_FIELDS]) if at not in IDLE_FIELDS) / TICKS_PER_SECOND
