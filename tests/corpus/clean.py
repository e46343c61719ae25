"""Is there anything but pixels in a picture? Written apart from what it checks."""

import struct
import zlib

JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_JPEG_MARKERS = {0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xDA, 0xE0}
_PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def complaints(data: bytes) -> list[str]:
    """What should not be there; empty for a clean picture."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data)
    if data.startswith(b"GIF89a"):
        return _gif(data)
    return [f"starts with {data[:8]!r}"]


def _jpeg(data: bytes) -> list[str]:
    wrong: list[str] = []
    at = 2
    while data[at : at + 2] != b"\xff\xd9":
        if data[at : at + 1] != b"\xff":
            return [*wrong, f"no marker at {at}"]
        marker, (length,) = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])
        body, at = data[at + 4 : at + 2 + length], at + 2 + length
        if marker not in _JPEG_MARKERS:
            wrong.append(f"marker {marker:02x}: {body[:20]!r}")
        if marker == 0xE0 and body != JFIF:
            wrong.append(f"JFIF {body!r}")
        if marker == 0xDA:
            while data[at] != 0xFF or data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
                at += 1
    return wrong + ([f"trailer {data[at + 2 :][:20]!r}"] if data[at + 2 :] else [])


def _png(data: bytes) -> list[str]:
    wrong, at, pixels = [], 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length
        if kind not in _PNG_CHUNKS:
            wrong.append(f"chunk {kind!r}: {body[:20]!r}")
        if kind == b"IDAT":
            pixels += body
        if kind == b"IEND":
            break
    inflating = zlib.decompressobj()
    inflating.decompress(pixels)
    if inflating.unused_data or not inflating.eof:
        wrong.append(f"behind the pixels: {inflating.unused_data[:20]!r}")
    return wrong + ([f"trailer {data[at:][:20]!r}"] if data[at:] else [])


def _gif(data: bytes) -> list[str]:
    wrong, frames = [], 0
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while data[at] != 0x3B:
        if data[at] == 0x21:
            if data[at + 1] != 0xF9:
                wrong.append(f"extension {data[at + 1]:02x}")
            at += 2
        elif data[at] == 0x2C:
            frames += 1
            flags = data[at + 9]
            at += 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0) + 1
        else:
            return [*wrong, f"block {data[at]:02x}"]
        while data[at]:
            at += 1 + data[at]
        at += 1
    if frames != 1:
        wrong.append(f"{frames} frames")
    return wrong + ([f"trailer {data[at + 1 :][:20]!r}"] if data[at + 1 :] else [])
