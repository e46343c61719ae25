"""Upload-URL answers: 50 consumers, eight requests of each in flight."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from bench.context import Bench
from bench.frames import frame
from bench.load import Course, End
from bench.people import open_consumer, sign_up
from bench.report import Result
from bench.talker import request
from bench.volleys import EventsLost, gauge

SOCKETS = 50
IN_FLIGHT = 8
QUESTION = frame(
    msgspec.json.encode(request("ms.GenerateURLForUploadFile", {"fileSize": 200_000, "fileType": "JPG"}))
)


class Asking(Course):
    def __init__(self, end: End) -> None:
        self.end = end
        self._answered = end.answers
        end.pair = self

    def start(self) -> None:
        self.end.send(QUESTION * IN_FLIGHT)

    def advance(self) -> None:
        fresh = self.end.answers - self._answered
        if fresh:
            self._answered += fresh
            self.end.send(QUESTION * fresh)


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("upload-urls") as server:
        connection = await server.connect()
        ends = []
        for _ in range(SOCKETS):
            talker = await open_consumer(server, await sign_up(connection, server.account))
            end = End(next_sequence=0)
            end.take_over(talker)
            ends.append(end)
        for end in ends:
            Asking(end).start()
        throughput = await gauge(lambda: sum(end.answers for end in ends), server.cpu_seconds, bench.seconds)
        faults = [end.fault for end in ends if end.fault]
        if faults:
            raise EventsLost(faults[0])
        yield Result("upload-URL answers", throughput.per_second, "answers/s", throughput.note)
