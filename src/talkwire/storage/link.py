"""One end of the socket pair: frames out, frames in, and the news that the other end is gone."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

import msgspec

from talkwire.storage.wire import LENGTH

_encoder = msgspec.msgpack.Encoder()


class Link(asyncio.Protocol):
    """Hands every frame to `heard`, in order. What is sent within one turn of the loop goes out at once."""

    def __init__(self, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.WriteTransport | None = None
        self._gathered = b""
        self._unsent: list[bytes] = []

    @classmethod
    async def open(
        cls, end: socket.socket, heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> "Link":
        """Take over a connected socket."""
        end.setblocking(False)
        _, link = await asyncio.get_running_loop().connect_accepted_socket(lambda: cls(heard, lost), end)
        return link

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, message: msgspec.Struct) -> None:
        """To a link that is lost: nothing happens, for whoever waits hears of that anyway."""
        frame = _encoder.encode(message)
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent += (LENGTH.pack(len(frame)), frame)

    def close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's are no subclasses

    def data_received(self, data: bytes) -> None:
        data = self._gathered + data if self._gathered else data
        at = 0
        while len(data) >= at + LENGTH.size:
            end = at + LENGTH.size + LENGTH.unpack_from(data, at)[0]
            if len(data) < end:
                break
            self._heard(data[at + LENGTH.size : end])
            at = end
        self._gathered = data[at:]

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and self._transport is not None and self.is_open:
            self._transport.write(b"".join(unsent))

    def connection_lost(self, error: Exception | None) -> None:
        self._lost()
