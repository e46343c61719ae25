"""What waits to be written to one socket. Bounded: a client that does not read is let go."""

import asyncio
from collections.abc import Callable

OVERRUN = "outbox full"
"""The reason of a close with 1013 when a client did not read; there are other reasons to come back later."""

LARGE_BYTES = 256 * 1024


class Outbox:
    """Collects frames of one turn of the loop and writes them joined.

    When more than `limit_bytes` wait unread in the transport, `overflowed` is called once and nothing
    is written any more. What was asked for and is large by itself does not count.
    """

    __slots__ = ("_bound_bytes", "_frames", "_is_over", "_limit_bytes", "_loop", "_overflowed", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        limit_bytes: int,
        overflowed: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._bound_bytes = self._limit_bytes = limit_bytes
        self._overflowed = overflowed
        self._frames: list[bytes] = []
        self._is_over = False

    def put(self, frame: bytes) -> None:
        """Write this frame at the end of the turn, after those put before."""
        if not self._frames:
            self._loop.call_soon(self.flush)
        self._frames.append(frame)

    def put_large(self, frame: bytes) -> None:
        """As `put`, for what the client asked for: the frame counts only if it is behind already.

        Until the next such frame, or `caught_up`, the bound is higher by this one.
        """
        self.flush()
        waiting = self.waiting_bytes
        if waiting <= self._bound_bytes:
            self._limit_bytes = self._bound_bytes + waiting + len(frame)
        self.put(frame)

    def caught_up(self) -> None:
        """The client has taken what was large."""
        self._limit_bytes = self._bound_bytes

    def flush(self) -> None:
        """Write what has been put, now."""
        frames = self._frames
        if not frames:
            return
        self._frames = []
        transport = self._transport
        if self._is_over or transport.is_closing():
            return
        transport.write(frames[0] if len(frames) == 1 else b"".join(frames))
        if transport.get_write_buffer_size() > self._limit_bytes:
            self._is_over = True
            self._overflowed()

    def end(self, frame: bytes) -> None:
        """Write what has been put and then this; nothing after it."""
        self.flush()
        self._is_over = True
        if not self._transport.is_closing():
            self._transport.write(frame)

    @property
    def waiting_bytes(self) -> int:
        """How much the client has not taken yet; 0 when it never will."""
        transport = self._transport
        return 0 if transport.is_closing() else transport.get_write_buffer_size()

    @property
    def is_over(self) -> bool:
        """Whether nothing is written any more."""
        return self._is_over

    def abort(self) -> None:
        """Drop everything and the connection with it."""
        self._is_over = True
        self._frames = []
        self._transport.abort()
