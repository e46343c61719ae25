"""Publish → the other side, at 1,000 events a second: in quiet, and beside replays of 10,000 events and log-ins."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from bench.catching_up import catch_up
from bench.context import Bench
from bench.effort import Effort, Meter
from bench.load import Course, End, Volley, publish_frames
from bench.people import AGENT_PASSWORD, log_in, make_pairs, open_consumer, sign_up, subscribe
from bench.report import Result
from bench.server import Talkwire
from bench.volleys import EventsLost
from bench.waiting import wait_until
from bench.web import Connection

PAIRS = 50
EVENTS_PER_SECOND = 1_000
REPLAYED_EVENTS = 10_000
LOG_INS_PER_SECOND = 100


class Paced(Course):
    """Publishes when told to; notes how long each event took to reach the other end."""

    def __init__(self, publisher: End, other: End, dialog_id: str) -> None:
        self.publisher, self.other = publisher, other
        self.taken_ms: list[float] = []
        self._sent_at: list[float] = []
        self._make = publish_frames(dialog_id)
        self._base = other.next_sequence
        publisher.pair = other.pair = self

    def publish(self) -> None:
        head, tail = self._make
        self._sent_at.append(time.perf_counter())
        self.publisher.send(b"%b%08d%b" % (head, len(self._sent_at), tail))

    def advance(self) -> None:
        arrived = self.other.next_sequence - self._base
        if arrived > len(self.taken_ms):
            now = time.perf_counter()
            self.taken_ms += [(now - sent) * 1000 for sent in self._sent_at[len(self.taken_ms) : arrived]]

    @property
    def missing(self) -> int:
        return len(self._sent_at) - len(self.taken_ms)


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("latency") as server:
        pairs = await make_pairs(server, PAIRS)
        long_one = await _long_dialog(server)
        ends = [(pair.dialog_id, *pair.ends()) for pair in pairs]
        meter = Meter(server.cpu_seconds)
        taken = await _run_paced(ends, bench.seconds)
        yield _result("latency p99", taken, meter.read())
        async with _strain(server, long_one, [pair.agent_name for pair in pairs]) as strain:
            meter = Meter(server.cpu_seconds)
            taken = await _run_paced(ends, bench.seconds)
            effort = meter.read()
        note = f"; {strain.replayed / effort.passed:,.0f} events replayed/s, "
        note += f"{strain.logged_in / effort.passed:.0f} log-ins/s"
        yield _result("latency p99 during replay and log-ins", taken, effort, note)


def _result(figure: str, taken_ms: Sequence[float], effort: Effort, note: str = "") -> Result:
    cuts = statistics.quantiles(taken_ms, n=1000)
    told = f"p50 {cuts[499]:.2f}, p95 {cuts[949]:.2f}, max {max(taken_ms):.1f} ms"
    told += f"; server {effort.server / effort.passed:.2f} cores"
    return Result(figure, cuts[989], "ms", told + note + effort.note)


async def _run_paced(ends: Sequence[tuple[str, End, End]], seconds: float) -> list[float]:
    """Publish evenly over the pairs; a late turn of our own loop sends what is due, timed from when it is sent."""
    courses = [Paced(consumer, agent, dialog_id) for dialog_id, consumer, agent in ends]
    begun, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < seconds:
        due = int(passed * EVENTS_PER_SECOND)
        for number in range(sent, due):
            courses[number % len(courses)].publish()
        sent = due
        await asyncio.sleep(0.001)
    with contextlib.suppress(TimeoutError):
        await wait_until(lambda: not any(course.missing for course in courses), seconds=10)
    faults = [end.fault for _, *both in ends for end in both if end.fault]
    if faults or any(course.missing for course in courses):
        raise EventsLost(f"{sum(course.missing for course in courses)} missing, faults: {faults[:1]}")
    return [taken for course in courses for taken in course.taken_ms]


@dataclass(frozen=True)
class LongDialog:
    token: str
    dialog_id: str
    last_sequence: int


async def _long_dialog(server: Talkwire) -> LongDialog:
    """A consumer alone with 10,000 events, all published by itself."""
    connection = await server.connect()
    token = await sign_up(connection, server.account)
    connection.close()
    writer, reader = await open_consumer(server, token), await open_consumer(server, token)
    opened = await writer.ask("cm.ConsumerRequestConversation", {"channelType": "MESSAGING"})
    dialog_id = opened["conversationId"]
    first = await subscribe(writer, dialog_id)
    await subscribe(reader, dialog_id)
    ends = End(first), End(first)
    ends[0].take_over(writer)
    ends[1].take_over(reader)
    volley = Volley(*ends, dialog_id, in_flight=50)
    volley.start()
    await wait_until(lambda: volley.delivered >= REPLAYED_EVENTS, seconds=60)
    volley.running = False
    await wait_until(lambda: volley.outstanding == 0, seconds=60)
    for end in ends:
        end.transport.abort()
    return LongDialog(token, dialog_id, last_sequence=ends[0].next_sequence - 1)


@dataclass
class Strain:
    replayed: int = 0
    logged_in: int = 0


@asynccontextmanager
async def _strain(server: Talkwire, long_one: LongDialog, names: Sequence[str]) -> AsyncIterator[Strain]:
    """Replay the long dialog over and over, each time to a new socket, and log agents in, until left."""
    strain = Strain()
    tasks = [asyncio.create_task(_replay(server, long_one, strain))]
    tasks += [asyncio.create_task(_log_ins(server, strain, worker, names[worker])) for worker in range(20)]
    try:
        yield strain
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    failures = [outcome for outcome in outcomes if not isinstance(outcome, asyncio.CancelledError)]
    if failures:
        raise EventsLost(f"the strain itself failed: {failures[0]!r}")


async def _replay(server: Talkwire, long_one: LongDialog, strain: Strain) -> None:
    while True:
        talker = await open_consumer(server, long_one.token)
        strain.replayed += await catch_up(talker, long_one.dialog_id, 0, long_one.last_sequence)
        talker.close()


async def _log_ins(server: Talkwire, strain: Strain, worker: int, name: str) -> None:
    """One of twenty, each five times a second as long as the answers keep up.

    Two of them guess at unknown names, which costs the server a whole Argon2 each; returning agents may be remembered.
    """
    connection = await server.connect()
    await asyncio.sleep(worker / LOG_INS_PER_SECOND)
    while True:
        begun = time.perf_counter()
        if worker < 2:
            await _guess(connection, server.account)
        else:
            await log_in(connection, server.account, name, AGENT_PASSWORD)
        strain.logged_in += 1
        await asyncio.sleep(max(0.0, 20 / LOG_INS_PER_SECOND - (time.perf_counter() - begun)))


async def _guess(connection: Connection, account: str) -> None:
    body = msgspec.json.encode({"username": f"nobody-{secrets.token_hex(6)}", "password": "guess"})
    answer = await connection.request(
        "POST", f"/api/account/{account}/login?v=1.3", body, {"Content-Type": "application/json"}
    )
    if answer.status != 401:
        raise EventsLost(f"a guessed log-in was answered {answer.status}")
