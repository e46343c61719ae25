"""A picture to send: a real JPEG of any size in bytes."""

from __future__ import annotations

import struct

LARGEST_SEGMENT_BYTES = 65_000


def grey_jpeg(size_bytes: int, width: int = 800, height: int = 600) -> bytes:
    """Return an evenly grey baseline JPEG, brought to `size_bytes` with comments."""
    blocks = ((width + 7) // 8) * ((height + 7) // 8)
    bits = blocks * 2  # each block: "no change of brightness", "nothing else", one bit each
    scan = bytes(bits // 8) + (bytes(((1 << (8 - bits % 8)) - 1,)) if bits % 8 else b"")
    head = b"\xff\xd8" + _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    tables = _segment(0xDB, b"\0" + b"\x10" * 64) + _segment(
        0xC0, struct.pack("!BHHB", 8, height, width, 1) + b"\1\x11\0"
    )
    codes = b"\1" + bytes(15) + b"\0"  # one code, of one bit, for the value 0
    tables += _segment(0xC4, b"\0" + codes) + _segment(0xC4, b"\x10" + codes)
    body = tables + _segment(0xDA, b"\1\1\0\0\x3f\0") + scan + b"\xff\xd9"
    return head + _comments(size_bytes - len(head) - len(body)) + body


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack("!BBH", 0xFF, marker, len(content) + 2) + content


def _comments(size: int) -> bytes:
    """Return comment segments of `size` bytes altogether."""
    parts = []
    while size >= 4:
        take = min(size, LARGEST_SEGMENT_BYTES)
        if 0 < size - take < 4:
            take -= 4
        parts.append(_segment(0xFE, b"x" * (take - 4)))
        size -= take
    return b"".join(parts)
