"""The answers a socket owes, in the order of its requests: one that is ready waits for those before it."""

import asyncio
from collections import deque

from talkwire.gateway.frames import text_frame
from talkwire.gateway.outbox import Outbox


class Slot:
    """A place in the order of answers; empty until its payload is there."""

    __slots__ = ("payload", "request_id")

    def __init__(self, request_id: str, payload: bytes | None = None) -> None:
        self.request_id = request_id
        self.payload = payload


_NOTHING: deque[Slot] = deque()
"""Shared by all who never published: an empty deque is the largest part of an idle socket that is ours."""


class Owed:
    """Sends what is due through the socket's outbox."""

    __slots__ = ("_none", "_outbox", "slots")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.slots = _NOTHING  # to be read by others; a length that is asked for costs each publish a call
        self._none: asyncio.Future[None] | None = None  # somebody waits until nothing is owed

    def put(self, slot: Slot) -> None:
        """Take the next place."""
        if self.slots is _NOTHING:
            self.slots = deque()
        self.slots.append(slot)

    def send(self) -> None:
        """Send the answers that are due."""
        slots = self.slots
        while slots and (payload := slots[0].payload) is not None:
            slots.popleft()
            self._outbox.put(text_frame(payload))
        if not slots and self._none is not None:
            self._none.set_result(None)
            self._none = None

    async def settled(self) -> None:
        """Wait until nothing is owed."""
        if self.slots:
            if self._none is None:
                self._none = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._none)
