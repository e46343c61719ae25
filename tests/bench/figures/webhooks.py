"""Webhooks: how soon one leaves, what waiting ones cost, and how fast they are delivered afterwards."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence

import msgspec

from bench.connectors import ConnectorTalk, connector_talks, set_webhooks
from bench.context import Bench
from bench.frames import frame
from bench.load import Course, End
from bench.people import log_in_administrator, make_agents, open_agent
from bench.process import free_port
from bench.receiver import Received, receiver
from bench.report import Result
from bench.server import Talkwire
from bench.talker import request
from bench.volleys import EventsLost, gauge
from bench.waiting import wait_until

CONVERSATIONS = 50
PER_SECOND = 500
FLOOD_SOCKETS = 10
IN_FLIGHT = 8
WAITING = 1_000_000
RECEIVE_SECONDS = 120
TEXT = "x" * 64


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("webhooks") as server, receiver() as (endpoint, received):
        connection = await server.connect()
        bearer = (await log_in_administrator(server, connection)).bearer
        talks = await connector_talks(server, CONVERSATIONS)
        await set_webhooks(server, bearer, endpoint)
        yield await _soon(bench, talks, received)

        await set_webhooks(server, bearer, f"http://127.0.0.1:{free_port()}/nobody")
        before = server.process.resident_bytes()
        flooded = await _flood(server, talks)
        after = server.process.resident_bytes()
        note = f"{before / 2**20:.0f} MiB before, {after / 2**20:.0f} MiB while {flooded:,} wait"
        yield Result("memory of a million waiting webhooks", (after - before) / 2**20, "MiB", note)

        count = received.count
        await set_webhooks(server, bearer, endpoint)
        await wait_until(lambda: received.count > count, RECEIVE_SECONDS)
        throughput = await gauge(lambda: received.count, server.cpu_seconds, bench.seconds)
        grown = (server.process.resident_bytes() - after) / 2**20
        if received.faults:
            raise EventsLost(received.faults[0])
        yield Result(
            "delivery of waiting webhooks",
            throughput.per_second,
            "webhooks/s",
            f"{throughput.note}; {grown:.0f} MiB more",
        )


async def _soon(bench: Bench, talks: Sequence[ConnectorTalk], received: Received) -> Result:
    """Send at an even pace; from each answer (on disk) to its webhook's arrival."""
    received.keeps_moments = True
    answered: dict[tuple[str, int], float] = {}
    begun = time.perf_counter()

    async def talk_on(talk: ConnectorTalk, number: int) -> None:
        for round_ in range(int(PER_SECOND * bench.seconds / len(talks))):
            due = begun + (round_ * len(talks) + number) / PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            sequence = await talk.send(TEXT)
            answered[talk.conversation_id, sequence] = time.perf_counter()

    await asyncio.gather(*(talk_on(talk, number) for number, talk in enumerate(talks)))
    await wait_until(lambda: answered.keys() <= received.moments.keys(), 30)
    received.keeps_moments = False
    lags = [(received.moments[key] - moment) * 1000 for key, moment in answered.items()]
    cuts = statistics.quantiles(lags, n=100)
    note = (
        f"p50 {cuts[49]:.1f}, max {max(lags):.1f} ms from the sender's answer; {len(lags)} at {PER_SECOND}/s"
    )
    return Result("webhook after commit p99", cuts[98], "ms", note)


class _Flooding(Course):
    """Publishes until it is told to stop."""

    def __init__(self, end: End, question: bytes) -> None:
        self.end = end
        self.running = True
        self._question = question
        self._answered = end.answers
        end.pair = self

    def start(self) -> None:
        self.end.send(self._question * IN_FLIGHT)

    def advance(self) -> None:
        fresh = self.end.answers - self._answered
        if fresh and self.running:
            self._answered += fresh
            self.end.send(self._question * fresh)


async def _flood(server: Talkwire, talks: Sequence[ConnectorTalk]) -> int:
    """Agents say a million things in conversations whose receiver is away."""
    connection = await server.connect()
    administrator = await open_agent(server, await log_in_administrator(server, connection))
    floods = []
    for talk, agent in zip(talks, await make_agents(server, FLOOD_SOCKETS), strict=False):
        join = {
            "field": "ParticipantsChange",
            "type": "ADD",
            "role": "ASSIGNED_AGENT",
            "userId": agent.old_id,
        }
        body = {"conversationId": talk.conversation_id, "conversationField": [join]}
        await administrator.ask(".ams.cm.UpdateConversationField", body)
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": TEXT}
        publish = request(".ams.ms.PublishEvent", {"dialogId": talk.conversation_id, "event": event})
        end = End(next_sequence=talk.sent)
        end.take_over(await open_agent(server, agent))
        floods.append(_Flooding(end, frame(msgspec.json.encode(publish))))
    for flood in floods:
        flood.start()
    await wait_until(lambda: sum(flood.end.answers for flood in floods) >= WAITING, 300)
    for flood in floods:
        flood.running = False
        if flood.end.fault:
            raise EventsLost(flood.end.fault)
    administrator.close()
    return sum(flood.end.answers for flood in floods)
