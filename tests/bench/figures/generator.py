"""What the load generator itself can do: against a stand-in that stores nothing, so that its share is known."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from bench.context import Bench
from bench.load import End, Volley
from bench.process import Process, free_port, wait_for_port
from bench.report import Result
from bench.talker import open_talker
from bench.volleys import run_volleys

PAIRS = 50


async def measure(bench: Bench) -> AsyncIterator[Result]:
    port = free_port()
    folder = bench.fresh_folder("generator")
    process = Process([sys.executable, "-m", "bench.dummy", str(port)], folder / "dummy.log")
    try:
        await wait_for_port(process, port)
        for in_flight in (8, 1):
            volleys = [await _volley(port, in_flight) for _ in range(PAIRS)]
            throughput = await run_volleys(volleys, process.cpu_seconds, min(bench.seconds, 3))
            note = f"stand-in {throughput.server_us:.1f} µs each, generator {throughput.generator_us:.1f} µs; 3 frames each"
            yield Result(f"generator alone, {in_flight} in flight", throughput.per_second, "events/s", note)
            for volley in volleys:
                volley.publisher.transport.abort()
                volley.other.transport.abort()
            await asyncio.sleep(0.1)
    finally:
        await process.stop()


async def _volley(port: int, in_flight: int) -> Volley:
    ends = []
    for _ in range(2):
        talker = await open_talker(("127.0.0.1", port), "/")
        end = End(next_sequence=0)
        end.take_over(talker)
        ends.append(end)
    return Volley(ends[0], ends[1], "c0ffee00-0000-4000-8000-000000000000", in_flight)
