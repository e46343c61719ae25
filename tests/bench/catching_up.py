"""A client that comes back: it asks for a dialog from a sequence on, and reads until it has the last one."""

from __future__ import annotations

import asyncio
import re
from itertools import takewhile

import msgspec

from bench.frames import frame
from bench.talker import Talker, request

SEQUENCE = re.compile(rb'"sequence":(\d+)[,}]')
LONGEST_MATCH = 32
PATIENCE_SECONDS = 60


class GapFound(Exception):
    """A replay left something out, doubled it or disordered it."""


class Catcher(asyncio.Protocol):
    """Collects sequences until `last` came; `caught` then has how many."""

    def __init__(self, first: int, last: int) -> None:
        self.caught: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._first, self._last = first, last
        self._sequences: list[int] = []
        self._rest = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.caught.done():
            self.caught.set_exception(GapFound(f"socket closed after {len(self._sequences)} events: {exc}"))

    def data_received(self, data: bytes) -> None:
        text = self._rest + data
        end = 0
        for match in SEQUENCE.finditer(text):
            self._sequences.append(int(match[1]))
            end = match.end()
        self._rest = text[max(end, len(text) - LONGEST_MATCH) :]
        if self._sequences and self._sequences[-1] >= self._last and not self.caught.done():
            self._settle()

    def _settle(self) -> None:
        wanted, got = list(range(self._first, self._last + 1)), self._sequences
        if got == wanted:
            self.caught.set_result(len(got))
            return
        same = sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(wanted, got, strict=False)))
        told = f"wanted {self._first} to {self._last}; after {same} right ones came {got[same : same + 5]}"
        self.caught.set_exception(GapFound(told))


async def catch_up(talker: Talker, dialog_id: str, first: int, last: int) -> int:
    """Subscribe from `first` and wait for `last`; return how many events came. The talker is used up by it."""
    catcher = Catcher(first, last)
    transport = talker.transport
    transport.set_protocol(catcher)
    body = {"dialogId": dialog_id, "fromSeq": first}
    transport.write(frame(msgspec.json.encode(request("ms.SubscribeMessagingEvents", body))))
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await catcher.caught
