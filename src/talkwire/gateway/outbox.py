"""What waits to be written to one socket. Bounded: a client that does not read is let go."""

import asyncio
from collections.abc import Callable


class Outbox:
    """Collects frames of one turn of the loop and writes them joined.

    When more than `limit_bytes` wait unread in the transport, `overflowed` is called once and nothing
    is written any more.
    """

    __slots__ = ("_frames", "_is_over", "_limit_bytes", "_loop", "_overflowed", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        limit_bytes: int,
        overflowed: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._limit_bytes = limit_bytes
        self._overflowed = overflowed
        self._frames: list[bytes] = []
        self._is_over = False

    def put(self, frame: bytes) -> None:
        """Write this frame at the end of the turn, after those put before."""
        if not self._frames:
            self._loop.call_soon(self.flush)
        self._frames.append(frame)

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
        """How much the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """Drop everything and the connection with it."""
        self._is_over = True
        self._frames = []
        self._transport.abort()
