"""Pairs under load for a while: how much they got delivered, and what it cost whom."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.effort import Effort, Meter
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
    done: int
    effort: Effort

    @property
    def per_second(self) -> float:
        return self.done / self.effort.passed

    @property
    def server_us(self) -> float:
        """Processor time of the server for each one, microseconds."""
        return self.effort.server / self.done * 1e6

    @property
    def generator_us(self) -> float:
        return self.effort.generator / self.done * 1e6

    @property
    def note(self) -> str:
        cores = self.effort.server / self.effort.passed
        costs = (
            f"server {self.server_us:.1f} µs each ({cores:.2f} cores), generator {self.generator_us:.1f} µs"
        )
        return costs + self.effort.note


async def gauge(count: Callable[[], int], server_cpu: Callable[[], float], seconds: float) -> Throughput:
    """Watch a counter and the processors for `seconds`, after a warm-up. Raises EventsLost when nothing happens."""
    await asyncio.sleep(WARM_UP_SECONDS)
    first, meter = count(), Meter(server_cpu)
    await asyncio.sleep(seconds)
    done, effort = count() - first, meter.read()
    if not done:
        raise EventsLost("nothing was delivered at all")
    return Throughput(done, effort)


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
