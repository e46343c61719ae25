"""What server and worker say to each other over the pipe: frames with their lengths before them. Pure.

A frame is three lengths (little-endian, 4 bytes each) and as many parts: a head in MessagePack and two
bodies. The worker is not trusted: the server bounds every length before it reads.
"""

import struct

import msgspec

from talkwire.sanitation.model import Reason, Wish
from talkwire.sanitation.sniff import ImageType

LENGTHS = struct.Struct("<III")
HEAD_BYTES = 16 * 1024
"""No head is longer."""


class Hello(msgspec.Struct, frozen=True):
    """What a worker says first: that it is ready, and what it cannot do any more."""

    confinement: dict[str, bool] = {}
    trouble: str = ""  # it could not start


class Job(msgspec.Struct, frozen=True):
    """One picture: the first body."""

    wish: Wish
    preview_only: bool = False


class Done(msgspec.Struct, frozen=True):
    """The picture anew and its preview (the bodies), or why not."""

    image_type: ImageType = ImageType.JPEG
    preview_type: ImageType = ImageType.JPEG
    width: int = 0
    height: int = 0
    reason: Reason | None = None
    detail: str = ""
    worn: bool = False  # it ran out of memory: what it holds now, nobody knows


def frame(head: msgspec.Struct, first: bytes = b"", second: bytes = b"") -> tuple[bytes, bytes, bytes]:
    """Lengths and head joined; the bodies as they are, so that nothing large is copied."""
    packed = msgspec.msgpack.encode(head)
    return LENGTHS.pack(len(packed), len(first), len(second)) + packed, first, second
