"""WebSocket frames as the generator needs them: built ahead, and found without being decoded."""

from __future__ import annotations

import os
import struct
from base64 import b64encode

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return one client frame, masked with the key 0000, which leaves the payload as it is."""
    size = len(payload)
    if size < 126:
        head = bytes((opcode, 0x80 | size))
    elif size < 65_536:
        head = struct.pack("!BBH", opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", opcode, 0x80 | 127, size)
    return head + b"\0\0\0\0" + payload


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut a server's bytes into whole frames' payloads and the rest. For setting up, not for the hot path."""
    payloads = []
    position = 0
    while len(data) - position >= 2:
        size = data[position + 1] & 0x7F
        start = position + 2
        if size == 126:
            start = position + 4
            size = int.from_bytes(data[position + 2 : start], "big")
        elif size == 127:
            start = position + 10
            size = int.from_bytes(data[position + 2 : start], "big")
        if start + size > len(data):
            break
        payloads.append(data[start : start + size] if data[position] == TEXT else b"")
        position = start + size
    return payloads, data[position:]


def handshake(host: str, path: str, authorization: str) -> bytes:
    """Return the request that opens a socket at `path`."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode()
