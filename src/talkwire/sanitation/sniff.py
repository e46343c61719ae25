"""Tell an image by its bytes: the header must be sound and the end must be there. Pure.

This is no proof that the picture can be decoded; that takes a rebuild. It keeps out what only claims to
be an image, and what was cut off on its way.
"""

import re
from enum import StrEnum

HEAD_BYTES = 64
TAIL_BYTES = 16 * 1024
"""Cameras write trailers behind the end of a picture: the end marker is looked for in this many bytes."""

_JPEG = re.compile(rb"\xff\xd8\xff[\xfe\xc0-\xcf\xdb-\xef](?!\0[\0\1])..", re.DOTALL)
"""Start of image, then a segment (not the entropy-coded data) that says how long it is."""

_PNG = re.compile(rb"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR(?!\0{4})\0\0..(?!\0{4})\0\0...{9}", re.DOTALL)
"""The header chunk comes first, whole, and names sides of 1 to 65,535."""

_GIF = re.compile(rb"GIF8[79]a(?!\0\0)..(?!\0\0).....", re.DOTALL)
"""A screen that has a size."""

_PNG_END = b"\0\0\0\0IEND\xaeB\x60\x82"
_JPEG_END = b"\xff\xd9"
_GIF_END = b"\x3b"


class ImageType(StrEnum):
    """The kinds of picture that we keep."""

    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"

    @property
    def content_type(self) -> str:
        return f"image/{self.value.lower()}"


class Sample:
    """The first and the last bytes of a stream, whatever its chunks are."""

    __slots__ = ("_tail", "head", "size_bytes")

    def __init__(self) -> None:
        self.head = b""
        self._tail = bytearray()
        self.size_bytes = 0

    def add(self, chunk: bytes) -> None:
        self.size_bytes += len(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        if len(chunk) >= TAIL_BYTES:
            self._tail = bytearray(chunk[-TAIL_BYTES:])
            return
        self._tail += chunk
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    @property
    def tail(self) -> bytes:
        return bytes(self._tail[-TAIL_BYTES:])

    def sniff(self) -> ImageType | None:
        return sniff(self.head, self.tail)


def sniff(head: bytes, tail: bytes) -> ImageType | None:
    """The type of an image; None when it is none of ours, has an unsound header, or was cut off.

    `head` is the first 64 bytes at least (all, when there are fewer), `tail` the last 16 KiB.
    """
    if _JPEG.match(head):
        return ImageType.JPEG if _JPEG_END in tail else None
    if _PNG.match(head):
        return ImageType.PNG if _PNG_END in tail else None
    if _GIF.match(head):  # the trailer is one byte: only the last one that is not padding counts
        return ImageType.GIF if tail.rstrip(b"\0").endswith(_GIF_END) else None
    return None


def sniff_whole(data: bytes) -> ImageType | None:
    """As `sniff`, of something small enough to be held as a whole."""
    return sniff(data[:HEAD_BYTES], data[-TAIL_BYTES:])
