"""Durable sends over the Connector API: 32 kept connections, one request of each in flight."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bench.connectors import ConnectorTalk, connector_talks
from bench.context import Bench
from bench.report import Result
from bench.shift import shift
from bench.volleys import EventsLost, gauge

CONNECTIONS = 32
TEXT = "x" * 64


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("connector") as server:
        talks = await connector_talks(server, CONNECTIONS)
        async with shift(talks, _send_one), bench.watched(server, "connector"):
            throughput = await gauge(
                lambda: sum(talk.sent for talk in talks), server.cpu_seconds, bench.seconds
            )
        yield Result("sends over the Connector API", throughput.per_second, "sends/s", throughput.note)


async def _send_one(talk: ConnectorTalk) -> None:
    due = talk.sent
    sequence = await talk.send(TEXT)
    if sequence != due:
        raise EventsLost(f"sequence {sequence} where {due} was due")
