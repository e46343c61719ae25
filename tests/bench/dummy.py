"""A stand-in for the server that does nothing but answer, to find what the generator itself can do.

Answers each publish and notifies both ends of the pair, in frames of the real size, without storing anything. Run as
`python -m bench.dummy PORT`; pairs are made of sockets in the order of their arrival (first publisher, then other).
"""

from __future__ import annotations

import asyncio
import struct
import sys
from typing import cast

import uvloop

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
HEAD = b'{"kind":"notification","type":"ms.MessagingEventNotification","body":{"dialogId":"d","changes":[{"sequence":'
TAIL = b',"serverTimestamp":1704164705123,"x":"' + b"x" * 330 + b'"}]}}'
ANSWER_HEAD = (
    b'{"kind":"resp","reqId":"00000000","code":200,"type":"ms.PublishEventResponse","body":{"sequence":'
)


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    return (bytes((0x81, size)) if size < 126 else struct.pack("!BBH", 0x81, 126, size)) + payload


class Side(asyncio.Protocol):
    waiting: Side | None = None

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.other: Side | None = None
        self.sequence = 0
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def _pair(self) -> None:
        if Side.waiting is None:
            Side.waiting = self
        else:
            self.other, Side.waiting.other = Side.waiting, self
            Side.waiting = None

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET "):
            self._pair()
            self.transport.write(UPGRADE)
            return
        data = self.rest + data
        position, answers, notices = 0, [], []
        while len(data) - position >= 8:
            size = int.from_bytes(
                data[position + 2 : position + 4], "big"
            )  # publishes are 126 to 65,535 bytes
            if position + 8 + size > len(data):
                break
            number = b"%d" % self.sequence
            self.sequence += 1
            notice = _frame(HEAD + number + TAIL)
            answers += [_frame(ANSWER_HEAD + number + b"}}"), notice]
            notices.append(notice)
            position += 8 + size
        self.rest = data[position:]
        self.transport.write(b"".join(answers))
        if self.other is not None:
            self.other.transport.write(b"".join(notices))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Side, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
