"""A consumer's socket without an event loop: what it measures is the server's time, not its own."""

import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from bench.frames import frame, handshake

Json = dict[str, Any]


class PlainSocket:
    """Blocking; one request at a time. Close it when done."""

    def __init__(self, url: str, jwt: str) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname, where.port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(handshake(where.netloc, f"{where.path}?{where.query}", f"jwt {jwt}"))
        self._heard = b""
        while b"\r\n\r\n" not in self._heard:
            self._heard += self._socket.recv(65_536)
        head, _, self._heard = self._heard.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head

    def close(self) -> None:
        self._socket.close()

    def ask(self, request: Json) -> Json:
        """Send a request and read on until its answer."""
        self._socket.sendall(frame(json.dumps(request).encode()))
        while True:
            message: Json = json.loads(self._message())
            if message["kind"] == "resp" and message["reqId"] == request["id"]:
                return message

    def _message(self) -> bytes:
        head = self._take(2)
        length = head[1] & 127
        if length > 125:
            length = int.from_bytes(self._take(2 if length == 126 else 8))
        payload = self._take(length)
        return payload if head[0] & 15 == 1 else self._message()

    def _take(self, count: int) -> bytes:
        while len(self._heard) < count:
            more = self._socket.recv(65_536)
            assert more, "closed"
            self._heard += more
        taken, self._heard = self._heard[:count], self._heard[count:]
        return taken


def wait_until(due: float) -> None:
    """To a moment of `time.perf_counter`, exact to some microseconds of waking up."""
    left = due - time.perf_counter()
    if left > 0:
        time.sleep(left)
