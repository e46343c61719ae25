"""The hot path of the load generator: ends that count frames without decoding them, and what pairs of them do.

An `End` takes over the transport of a `Talker` once everything is set up. One core of it follows more than half a
million frames a second (`--only generator`), so that the server is what is measured.
"""

from __future__ import annotations

import asyncio
import os

import msgspec

from bench.frames import frame
from bench.talker import Talker, request

ANSWER = ord("r")  # of {"kind":"resp"; a notification has an n there


class End(asyncio.Protocol):
    """One end of a pair under load.

    `answers` and `seen` count publish answers and event notifications; `next_sequence` is what the next notification
    must carry. A gap, a double or a disorder is a fault, and so is an answer that is not 200.
    """

    def __init__(self, next_sequence: int) -> None:
        self.transport: asyncio.Transport
        self.pair: Course | None = None
        self.answers = 0
        self.seen = 0
        self.next_sequence = next_sequence
        self.fault = ""
        self._rest = b""
        self._descriptor = -1

    def take_over(self, talker: Talker) -> None:
        """Go on where a talker stood: on its transport, with the bytes that it has not taken yet."""
        self.transport = talker.transport
        self._descriptor = self.transport.get_extra_info("socket").fileno()
        self.transport.set_protocol(self)
        if talker.rest:
            self.data_received(talker.rest)

    def send(self, data: bytes) -> None:
        send_now(self.transport, self._descriptor, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fault = self.fault or f"socket closed: {exc}"

    def data_received(self, data: bytes) -> None:
        """Walk over the frames. This is the generator's hot path: no call per frame, nothing decoded."""
        if self._rest:
            data = self._rest + data
        find = data.find
        position, end = 0, len(data)
        answers, expected = self.answers, self.next_sequence
        while end - position > 10:
            size = data[position + 1]
            start = position + 2
            if size > 125:
                wide = 4 if size == 126 else 10
                start = position + wide
                size = int.from_bytes(data[position + 2 : start], "big")
            stop = start + size
            if stop > end:
                break
            if data[start + 9] == ANSWER:
                answers += 1
                if find(b'"code":200', start, start + 60) < 0:
                    self.fault = data[start:stop].decode()
            else:
                at = find(b'"sequence":', start, stop) + 11
                if at > 10:
                    if data.startswith(b"%d," % expected, at):
                        expected += 1
                    else:
                        self.fault = f"expected {expected}, got {data[start:stop].decode()}"
            position = stop
        self._rest = data[position:] if position < end else b""
        self.answers = answers
        self.seen += expected - self.next_sequence
        self.next_sequence = expected
        if self.pair is not None:
            self.pair.advance()


def send_now(transport: asyncio.Transport, descriptor: int, data: bytes) -> None:
    """Send now, not at the end of the loop's turn: the server shall not wait while we read other sockets."""
    if transport.get_write_buffer_size() == 0:
        try:  # noqa: SIM105 -- suppress() costs more than the rest of this function
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            pass
    if data:
        transport.write(data)


class Course:
    """What a pair does under load; told after each read of either end."""

    def advance(self) -> None:
        raise NotImplementedError


class Volley(Course):
    """Keep `in_flight` events of one publisher on the way; count those delivered to both ends and answered."""

    def __init__(self, publisher: End, other: End, dialog_id: str, in_flight: int) -> None:
        self.publisher, self.other = publisher, other
        self.delivered = 0
        self.running = True
        self._goal = in_flight
        self._sent = 0
        self._make = publish_frames(dialog_id)
        self._base = publisher.answers, publisher.seen, other.seen
        publisher.pair = other.pair = self

    def start(self) -> None:
        self._send(self._goal)

    def advance(self) -> None:
        answers, own, others = self._base
        publisher = self.publisher
        delivered = publisher.answers - answers
        delivered = min(delivered, publisher.seen - own, self.other.seen - others)
        fresh = delivered - self.delivered
        if fresh:
            self.delivered = delivered
            if self.running:
                self._send(fresh)

    def _send(self, count: int) -> None:
        first = self._sent
        self._sent = first + count
        head, tail = self._make
        if count == 1:
            self.publisher.send(b"%b%08d%b" % (head, first, tail))
        else:
            numbers = range(first, first + count)
            self.publisher.send(b"".join([b"%b%08d%b" % (head, n, tail) for n in numbers]))

    @property
    def outstanding(self) -> int:
        return self._sent - self.delivered

    @property
    def faults(self) -> list[str]:
        return [end.fault for end in (self.publisher, self.other) if end.fault]


def publish_frames(dialog_id: str) -> tuple[bytes, bytes]:
    """Return what stands before and behind an eight-digit number in a publish frame: text of 64 characters."""
    text = "The parcel has left the depot and should reach you on Friday."
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": f"{text}…"}
    body = {"dialogId": dialog_id, "event": event}
    whole = frame(msgspec.json.encode(request("ms.PublishEvent", body, request_id="########")))
    head, _, tail = whole.partition(b"########")
    return head, tail
