"""Durable publish → delivered: 50 pairs, eight and one event of each in flight, half of the pairs sent by the agent."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bench.context import Bench
from bench.load import Volley
from bench.people import make_pairs
from bench.report import Result
from bench.volleys import run_volleys

PAIRS = 50


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("publish") as server:
        pairs = await make_pairs(server, PAIRS)
        ends = [(pair.dialog_id, *pair.ends()) for pair in pairs]
        for in_flight in (8, 1):
            volleys = []
            for number, (dialog_id, consumer, agent) in enumerate(ends):
                publisher, other = (consumer, agent) if number % 2 else (agent, consumer)
                volleys.append(Volley(publisher, other, dialog_id, in_flight))
            async with bench.watched(server, f"publish-{in_flight}"):
                throughput = await run_volleys(volleys, server.cpu_seconds, bench.seconds)
            yield Result(
                f"publish, {in_flight} in flight", throughput.per_second, "events/s", throughput.note
            )
