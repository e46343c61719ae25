"""Pairs under load for a while: how much they got delivered, and what it cost whom."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.process import cpu_seconds_of
from bench.waiting import wait_until

WARM_UP_SECONDS = 1.0
DRAIN_SECONDS = 10.0


class Load(Protocol):
    """A pair under load: our sockets or XMPP's."""

    running: bool
    delivered: int

    def start(self) -> None: ...
    @property
    def outstanding(self) -> int: ...
    @property
    def faults(self) -> list[str]: ...


class EventsLost(Exception):
    """An event did not arrive, arrived twice or arrived out of order: no figure is worth printing then."""


@dataclass(frozen=True)
class Throughput:
    per_second: float
    server_us: float
    """Processor time of the server for each one, microseconds."""
    generator_us: float

    @property
    def note(self) -> str:
        busy = self.per_second * self.server_us / 1e6
        return f"server {self.server_us:.1f} µs each ({busy:.2f} cores), generator {self.generator_us:.1f} µs"


async def gauge(count: Callable[[], int], server_cpu: Callable[[], float], seconds: float) -> Throughput:
    """Watch a counter and both sides' processor time for `seconds`, after a warm-up."""
    await asyncio.sleep(WARM_UP_SECONDS)
    begun, first = time.perf_counter(), count()
    server, own = server_cpu(), cpu_seconds_of(os.getpid())
    await asyncio.sleep(seconds)
    taken, done = time.perf_counter() - begun, count() - first
    if not done:
        raise EventsLost("nothing was delivered at all")
    server, own = server_cpu() - server, cpu_seconds_of(os.getpid()) - own
    return Throughput(done / taken, server / done * 1e6, own / done * 1e6)


async def run_volleys(volleys: Sequence[Load], server_cpu: Callable[[], float], seconds: float) -> Throughput:
    """Run all pairs at once, then let what is on the way arrive. Raises EventsLost."""
    for volley in volleys:
        volley.start()
    try:
        throughput = await gauge(lambda: sum(volley.delivered for volley in volleys), server_cpu, seconds)
    except EventsLost:
        check_nothing_lost(volleys)  # knows more
        raise
    for volley in volleys:
        volley.running = False
    with contextlib.suppress(TimeoutError):
        await wait_until(lambda: not any(volley.outstanding for volley in volleys), DRAIN_SECONDS)
    check_nothing_lost(volleys)
    return throughput


def check_nothing_lost(volleys: Sequence[Load]) -> None:
    faults = [fault for volley in volleys for fault in volley.faults]
    outstanding = sum(volley.outstanding for volley in volleys)
    if faults or outstanding:
        raise EventsLost(f"{outstanding} events never arrived; {len(faults)} faults, first: {faults[:1]}")
