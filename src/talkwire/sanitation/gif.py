"""Read the structure of a GIF, and cut out its first frame. Pure.

Source: GIF89a specification, sections 17 to 27.
"""

import struct
from typing import NamedTuple

from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.headers import PARTS, Header, check_size, check_trailer
from talkwire.sanitation.model import Limits, Reason
from talkwire.sanitation.sniff import ImageType

BLOCKS = 200_000
"""Data comes in blocks of 255 bytes, so that even 10 MB have no more than 40,000."""

_ENCODED_BYTES, _RESIZED_BYTES, _CODED_TIMES = 14, 18, 10
"""What is held to encode a pixel that stays as it is, or is one of a smaller picture with more colours; and for each
coded byte. Measured: 12, 15 and 9. The encoder does not look whether it got memory: with too little it crashes."""

_OVERHEAD_BYTES = 4096
"""Over 12 bits for each pixel, which is the most that a code has: a table, lengths of blocks, codes that clear."""

_SCREEN_BYTES = 13
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL = 0xF9
_IMAGE_BYTES = 10
_INTERLACED, _OF_256 = 0x40, 0xF7


class _Walk:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.blocks = 0
        self.control = b""
        self.first = b""
        self.first_pixels = 0
        self.frames = 0

    def skip(self, size: int) -> bytes:
        """The next so many bytes."""
        start, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise Rejected(Reason.TRUNCATED, "cut off")
        return self.data[start : self.at]

    def skip_blocks(self) -> None:
        """Go behind a chain of data blocks."""
        data, at, end = self.data, self.at, len(self.data)
        left = BLOCKS - self.blocks
        while left and at < end and (length := data[at]):
            at += 1 + length
            left -= 1
        if not left:
            raise Rejected(Reason.MALFORMED, "too many blocks")
        if at >= end:
            raise Rejected(Reason.TRUNCATED, "cut off in a block")
        self.at, self.blocks = at + 1, BLOCKS - left


def examine_gif(data: bytes, limits: Limits) -> Header:
    """Raises Rejected."""
    walk = _Walk(data)
    screen = walk.skip(_SCREEN_BYTES)
    if screen[:6] not in {b"GIF87a", b"GIF89a"}:
        raise Rejected(Reason.MALFORMED, "version")
    width, height = struct.unpack("<HH", screen[6:10])
    check_size(width, height, limits)
    colours = walk.skip(_table_bytes(screen[10]))
    for _ in range(PARTS):
        kind = walk.skip(1)[0]
        if kind == _TRAILER:
            break
        if kind == _IMAGE:
            _take_image(walk, limits)
        elif kind == _EXTENSION:
            _take_extension(walk)
        elif kind:  # a stray zero between blocks is written by some encoders
            raise Rejected(Reason.MALFORMED, f"block {kind:02x} at {walk.at}")
    else:
        raise Rejected(Reason.MALFORMED, "too many parts")
    if not walk.frames:
        raise Rejected(Reason.MALFORMED, "no picture in it")
    check_trailer(data, walk.at)
    picture = b"".join((b"GIF89a", screen[6:], colours, walk.first, b"\x3b"))
    held_bytes = 8 * width * height
    coded_bytes = min(len(walk.first), walk.first_pixels * 3 // 2 + _OVERHEAD_BYTES)
    return Header(ImageType.GIF, width, height, picture, 1, walk.frames, held_bytes, coded_bytes)


def check_encodable(header: Header, long_side: int, limits: Limits) -> None:
    """Whether there is memory to encode a GIF anew, no longer than `long_side` if that is not 0.

    Raises Rejected.
    """
    width, height = header.size_within(long_side)
    is_kept = (width, height) == (header.width, header.height)
    needed_bytes = width * height * (_ENCODED_BYTES if is_kept else _RESIZED_BYTES)
    if needed_bytes + _CODED_TIMES * header.coded_bytes > limits.memory_bytes:
        cause = "that is not made smaller" if is_kept else f"made smaller to {width}x{height}"
        raise Rejected(Reason.TOO_BIG, f"{header.width}x{header.height}: too many pixels for a GIF {cause}")


class Shortened(NamedTuple):
    """A GIF of white pixels, of part of another's codes: where these end too early the last one is not white."""

    data: bytes
    last_across: int
    last_down: int


def shortened(picture: bytes, share: float) -> Shortened:
    """By the first frame of what `examine_gif` gave back, with that share of its codes."""
    walk = _Walk(picture)
    walk.at = _SCREEN_BYTES + _table_bytes(picture[10])
    if walk.skip(1)[0] == _EXTENSION:
        _take_extension(walk)
        walk.skip(1)
    width, height, flags = struct.unpack("<4xHHB", walk.skip(_IMAGE_BYTES - 1))
    walk.skip(_table_bytes(flags))
    code_size, start = walk.skip(1), walk.at
    most = start + int((len(picture) - start) * share)
    at = start
    while picture[at] and at + 1 + picture[at] <= most:
        at += 1 + picture[at]
    is_interlaced = bool(flags & _INTERLACED)
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, _OF_256, 0, 0) + b"\xff" * 768
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, flags & _INTERLACED)
    data = b"".join((screen, image, code_size, picture[start:at], b"\0\x3b"))
    last_down = height - 1 - (is_interlaced and height % 2 and height > 1)  # the odd lines come last
    return Shortened(data, width - 1, last_down)


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _take_image(walk: _Walk, limits: Limits) -> None:
    start = walk.at - 1
    left, top, width, height, flags = struct.unpack("<HHHHB", walk.skip(_IMAGE_BYTES - 1))
    check_size(left + width, top + height, limits)
    walk.skip(_table_bytes(flags) + 1)  # and the code size
    walk.skip_blocks()
    walk.frames += 1
    if walk.frames == 1:
        walk.first, walk.first_pixels = walk.control + walk.data[start : walk.at], width * height
    if walk.frames > limits.frames:
        raise Rejected(Reason.TOO_MANY_FRAMES)


def _take_extension(walk: _Walk) -> None:
    start = walk.at - 1
    label = walk.skip(1)[0]
    walk.skip_blocks()
    if label == _CONTROL and not walk.frames:
        walk.control = walk.data[start : walk.at]
