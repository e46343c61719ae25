"""A consumer of its own amid the trouble: it publishes one text after another and measures the answers."""

import asyncio
import contextlib
import itertools
import os
import statistics
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fault.plain_socket import PlainSocket, wait_until
from fault.wire import Answer, Json, Line, Socket, open_socket
from pictures import png

PACE_SECONDS = 0.01


@dataclass
class Probe:
    """`acknowledged`: the texts that were answered 200, by sequence."""

    line: Line
    socket: Socket
    jwt: str
    dialog_id: str
    acknowledged: dict[int, str] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def say(self) -> Answer:
        text = f"probe {next(self.numbers)}"
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
        answer = await self.socket.ask("ms.PublishEvent", {"dialogId": self.dialog_id, "event": event})
        if answer.is_ok:
            self.acknowledged[answer.body["sequence"]] = text
        return answer

    async def is_refused(self) -> bool:
        return not (await self.say()).is_ok

    async def is_heard(self) -> bool:
        return (await self.say()).is_ok

    async def upload(self) -> int:
        """The status of a PUT of a picture, or of the request for its URL when that is refused already."""
        data = png(30, 30, seed=next(self.numbers))
        claim = {"fileSize": len(data), "fileType": "PNG"}
        slot = await self.socket.ask("ms.GenerateURLForUploadFile", claim)
        return await self.line.put(slot.body, data) if slot.is_ok else slot.code

    async def is_taken(self) -> bool:
        return await self.upload() == 201

    async def latencies(self, seconds: float) -> list[float]:
        """Publish at an even pace for a while; how long each answer took, in seconds, late starts included."""
        return await asyncio.to_thread(self._paced, int(seconds / PACE_SECONDS))

    async def latencies_until(self, ended: "asyncio.Task[Any]") -> list[float]:
        """The same for as long as something else goes on."""
        found: list[float] = []
        async with asyncio.timeout(300):
            while not ended.done():
                found += await self.latencies(0.5)
        return found

    def _paced(self, count: int) -> list[float]:
        found: list[float] = []
        with contextlib.suppress(OSError):  # the measuring device should wait for the server alone
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -15)
        url = self.line.url(f"/ws_api/account/{self.line.live.account}/messaging/consumer?v=3")
        with contextlib.closing(PlainSocket(url, self.jwt)) as plain:
            start = time.perf_counter()
            for due in (start + number * PACE_SECONDS for number in range(count)):
                wait_until(due)
                text = f"probe {next(self.numbers)}"
                answer = plain.ask(self._request(text))
                found.append(time.perf_counter() - due)
                assert answer["code"] == 200, answer
                self.acknowledged[answer["body"]["sequence"]] = text
        return found

    def _request(self, text: str) -> Json:
        event = {"type": "ContentEvent", "contentType": "text/plain", "message": text}
        body = {"dialogId": self.dialog_id, "event": event}
        return {"kind": "req", "id": text, "type": "ms.PublishEvent", "body": body}

    async def log(self, line: Line | None = None) -> dict[int, str]:
        """The texts of the whole log, as a new socket is told them."""
        found: dict[int, str] = {}
        done = asyncio.Event()

        def hear(notification: Json) -> None:
            if notification["type"] == "ms.MessagingEventNotification":
                changes = notification["body"]["changes"]
                found.update({c["sequence"]: c["event"]["message"] for c in changes})
            if len(found) >= len(self.acknowledged):
                done.set()

        socket = await open_socket(line or self.line, "consumer?v=3", jwt=self.jwt, heard=hear)
        try:
            (await socket.ask("ms.SubscribeMessagingEvents", {"dialogId": self.dialog_id})).expect()
            async with asyncio.timeout(20):
                await done.wait()
        finally:
            await socket.close()
        return found

    async def check(self, line: Line | None = None) -> None:
        """All that was acknowledged is there, in its place, and nothing else."""
        assert await self.log(line) == self.acknowledged


@asynccontextmanager
async def probing(line: Line) -> AsyncIterator[Probe]:
    jwt = await line.sign_up()
    socket = await open_socket(line, "consumer?v=3", jwt=jwt)
    opened = (await socket.ask("cm.ConsumerRequestConversation")).expect()
    probe = Probe(line, socket, jwt, opened["conversationId"])
    try:
        yield probe
    finally:
        await socket.close()


def p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[-1]


def compared(what: str, quiet: list[float], strained: list[float]) -> str:
    """How it went for the others. Told, not judged: the machine has other work as well."""
    before, during = p99(quiet) * 1000, p99(strained) * 1000
    return (
        f"{what}: p99 {during:.1f} ms, {before:.1f} ms when quiet: {during / before:.1f} times; "
        f"p50 {statistics.median(strained) * 1000:.1f}, {statistics.median(quiet) * 1000:.1f}; longest {max(strained) * 1000:.0f} ms"
    )
