"""Ten thousand consumers: what an idle socket weighs, and how soon all are back after the server was killed."""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.catching_up import catch_up
from bench.context import Bench
from bench.effort import Meter
from bench.people import open_consumer, sign_up
from bench.report import Result
from bench.server import Talkwire
from bench.talker import Talker

SOCKETS = 10_000
MISSED_EVENTS = 3
AT_ONCE = 500
"""How many of the crowd are on their way through the door at one time, signing up or connecting."""


@dataclass
class Member:
    number: int
    token: str = ""
    dialog_id: str = ""
    talker: Talker | None = None
    next_sequence: int = 0

    @property
    def source(self) -> str:
        """The loopback address it comes from; one alone has too few ports for all and those just closed."""
        return f"127.0.1.{1 + self.number % 20}"


async def measure(bench: Bench) -> AsyncIterator[Result]:
    _allow_open_files()
    async with bench.talkwire("crowd") as server:
        members = [Member(number) for number in range(SOCKETS)]
        await _sign_up_all(server, members)
        yield await _idle_memory(server, members)
        await _each(members, _converse)
        for member in members:
            _leave(member)
        await server.stop(signal.SIGKILL)
        started = await server.start()
        async with bench.watched(server, "reconnect-storm"):
            meter = Meter(server.cpu_seconds)
            await _each(members, lambda member: _come_back(server, member))
            effort = meter.read()
        note = f"server {effort.server / effort.passed:.2f} cores{effort.note}; killed and restarted ({started:.2f} s, not counted), each catching up {MISSED_EVENTS} events, no gap"
        yield Result("reconnect storm", effort.passed, "s", note)
        for member in members:
            _leave(member)


async def _idle_memory(server: Talkwire, members: Sequence[Member]) -> Result:
    await asyncio.sleep(1)
    before = server.process.resident_bytes()
    begun = time.perf_counter()
    await _each(members, lambda member: _arrive(server, member))
    taken = time.perf_counter() - begun
    await asyncio.sleep(1)
    each = (server.process.resident_bytes() - before) / len(members)
    note = f"{before / 2**20:.0f} MiB before; {len(members) / taken:,.0f} sockets opened/s"
    return Result("memory per idle socket", each / 1024, "KiB", note)


async def _each(members: Sequence[Member], do: Callable[[Member], Awaitable[None]]) -> None:
    """Do it for everyone, `AT_ONCE` at a time."""
    queue = iter(members)

    async def work() -> None:
        for member in queue:
            await do(member)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())


async def _sign_up_all(server: Talkwire, members: Sequence[Member]) -> None:
    queue = iter(members)

    async def work(source: str) -> None:
        connection = await server.connect(source)
        for member in queue:
            member.token = await sign_up(connection, server.account)
        connection.close()

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(work(f"127.0.1.{1 + number}"))


async def _arrive(server: Talkwire, member: Member) -> None:
    member.talker = await open_consumer(server, member.token, member.source)


async def _converse(member: Member) -> None:
    """Open a conversation and say a few things, the first of which it will remember having read."""
    talker = member.talker
    assert talker is not None
    opened = await talker.ask("cm.ConsumerRequestConversation", {"channelType": "MESSAGING"})
    member.dialog_id = opened["conversationId"]
    for number in range(1 + MISSED_EVENTS):
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": f"message {number}"}
        await talker.ask("ms.PublishEvent", {"dialogId": member.dialog_id, "event": event})


async def _come_back(server: Talkwire, member: Member) -> None:
    member.talker = await open_consumer(server, member.token, member.source)
    await catch_up(member.talker, member.dialog_id, 1, MISSED_EVENTS)


def _leave(member: Member) -> None:
    if member.talker is not None:
        member.talker.close()
    member.talker = None


def _allow_open_files() -> None:
    """Raise our own limit, which the server inherits, to the hard one. Exits when that is too low for the crowd."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < SOCKETS + 1_000:
        raise SystemExit(
            f"this needs {SOCKETS + 1_000} open files, the hard limit is {hard}: raise it (ulimit -Hn)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
