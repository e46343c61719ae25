"""Start to first answer: from exec to the first 200 of `/healthz`, on a data folder that already has its brand."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator

from bench.context import Bench
from bench.report import Result
from bench.server import Talkwire

ROUNDS = 5


async def measure(bench: Bench) -> AsyncIterator[Result]:
    server = Talkwire(bench.fresh_folder("start"))
    taken = []
    try:
        for _ in range(1 + ROUNDS):
            taken.append(await server.start())
            await server.stop()
    finally:
        await server.stop()
    first, *others = taken
    yield Result(
        "start to first answer",
        statistics.median(others),
        "s",
        f"median of {ROUNDS}; very first start {first:.2f} s",
    )
