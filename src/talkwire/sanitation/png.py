"""Read the structure of a PNG. Pure.

Source: PNG specification (third edition), sections 5 and 11.
"""

import struct
import zlib

from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.exif import orientation_of
from talkwire.sanitation.headers import PARTS, PROFILE_BYTES, Header, check_size, check_trailer
from talkwire.sanitation.model import Limits, Reason
from talkwire.sanitation.sniff import ImageType

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_HEADER_BYTES = 13
_OVERHEAD_BYTES = 4096
_PIECE_BYTES, _UNPACKED_BYTES = 16 * 1024, 256 * 1024
_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip
_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
_ENDS_KEYWORD = 80  # a profile's name has 79 characters at most


class _Walk:
    def __init__(self) -> None:
        self.kept: list[bytes] = [SIGNATURE]
        self.orientation = 1
        self.frames = 1
        self.seen: set[bytes] = set()
        self.last = b""
        self.coded_bytes = 0


def examine_png(data: bytes, limits: Limits) -> Header:
    """Raises Rejected."""
    width, height, held_bytes = _read_header(data, limits)
    walk, at = _Walk(), len(SIGNATURE)
    for _ in range(PARTS):
        end, kind = _chunk_at(data, at)
        _take(walk, kind, data[at:end], limits)
        at, walk.last = end, kind
        if kind == b"IEND":
            break
    else:
        raise Rejected(Reason.MALFORMED, "too many chunks")
    if b"IDAT" not in walk.seen:
        raise Rejected(Reason.MALFORMED, "no picture in it")
    check_trailer(data, at)
    picture = b"".join(walk.kept)
    coded_bytes = min(walk.coded_bytes, _most_coded(picture))
    return Header(
        ImageType.PNG, width, height, picture, walk.orientation, walk.frames, held_bytes, coded_bytes
    )


def _most_coded(picture: bytes) -> int:
    """What pixels that cannot be packed take, and zlib's own."""
    raw_bytes = _raw_bytes(picture)
    return raw_bytes + raw_bytes // 1000 + _OVERHEAD_BYTES


def _raw_bytes(picture: bytes) -> int:
    """All lines, unpacked, each with its filter."""
    width, height, depth, colours, _, _, interlace = struct.unpack(
        ">IIBBBBB", picture[16 : 16 + _HEADER_BYTES]
    )
    bits = depth * _CHANNELS[colours]
    total = 0
    for left, top, across, down in _ADAM7 if interlace else ((0, 0, 1, 1),):
        columns, lines = -(-max(0, width - left) // across), -(-max(0, height - top) // down)
        total += lines * (1 + (columns * bits + 7) // 8) if columns else 0
    return total


def are_all_pixels_in(picture: bytes, share: float) -> bool:
    """Whether that share of the packed bytes of what `examine_png` gave back is enough, or not sound at all."""
    at, pieces = len(SIGNATURE), []
    while at < len(picture):
        end, kind = _chunk_at(picture, at)
        if kind == b"IDAT":
            pieces.append(picture[at + 8 : end - 4])
        at = end
    packed = b"".join(pieces)
    packed = packed[: int(len(packed) * share)]
    left_bytes, inflating = _raw_bytes(picture), zlib.decompressobj()
    try:
        for start in range(0, len(packed), _PIECE_BYTES):
            piece = packed[start : start + _PIECE_BYTES]
            while piece and left_bytes > 0 and not inflating.eof:
                left_bytes -= len(inflating.decompress(piece, _UNPACKED_BYTES))
                piece = inflating.unconsumed_tail
            if left_bytes <= 0 or inflating.eof:
                return True
    except zlib.error:
        return True
    return False


def _read_header(data: bytes, limits: Limits) -> tuple[int, int, int]:
    """Width, height, and what a decoder has to hold at once."""
    head = data[8 : 16 + _HEADER_BYTES]
    if len(head) < 8 + _HEADER_BYTES:
        raise Rejected(Reason.TRUNCATED, "no header")
    if head[:8] != b"\0\0\0\x0dIHDR":
        raise Rejected(Reason.MALFORMED, "the header is not first")
    width, height = int.from_bytes(head[8:12], "big"), int.from_bytes(head[12:16], "big")
    depth, colours, compression, filtering, interlace = head[16:21]
    if depth not in _DEPTHS.get(colours, ()) or compression or filtering or interlace > 1:
        raise Rejected(Reason.MALFORMED, f"colour type {colours} of {depth} bits")
    check_size(width, height, limits)
    line_bytes = width * (4 if colours == 3 else _CHANNELS[colours] * (depth + 7) // 8)  # noqa: PLR2004
    return width, height, line_bytes * height if interlace else 0


def _chunk_at(data: bytes, at: int) -> tuple[int, bytes]:
    """Where the chunk at `at` ends, and its kind."""
    length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
    end = at + 12 + length
    if len(kind) < 4 or (end > len(data) and kind.isalpha()):  # noqa: PLR2004
        raise Rejected(Reason.TRUNCATED, "cut off in a chunk")
    if not kind.isalpha() or not kind.isascii() or end > len(data):
        raise Rejected(Reason.MALFORMED, f"chunk {kind!r}")
    return end, kind


def _take(walk: _Walk, kind: bytes, chunk: bytes, limits: Limits) -> None:
    """Keep what a decoder needs of a chunk, and learn from it."""
    body = chunk[8:-4]
    if kind in _PIXELS or kind == b"IEND":
        _check_order(walk, kind)
        _check_sum(chunk)
        walk.kept.append(chunk)
        walk.coded_bytes += len(body) if kind == b"IDAT" else 0
    elif kind == b"iCCP" and kind not in walk.seen:
        if b"IDAT" in walk.seen:
            return
        _check_sum(chunk)
        _check_profile(body)
        walk.kept.append(chunk)
    elif kind == b"eXIf" and kind not in walk.seen:
        walk.orientation = orientation_of(body)
    elif kind == b"fcTL":
        walk.frames += 1
        if walk.frames > limits.frames:
            raise Rejected(Reason.TOO_MANY_FRAMES)
    elif kind[:1].isupper():
        raise Rejected(Reason.MALFORMED, f"chunk {kind!r}")
    walk.seen.add(kind)


def _check_order(walk: _Walk, kind: bytes) -> None:
    repeated = kind in walk.seen and (kind != b"IDAT" or walk.last != b"IDAT")
    late = kind in {b"PLTE", b"tRNS"} and b"IDAT" in walk.seen
    if repeated or late:
        raise Rejected(Reason.MALFORMED, f"chunk {kind!r} is out of order")


def _check_sum(chunk: bytes) -> None:
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        raise Rejected(Reason.CORRUPT, f"check sum of {chunk[4:8]!r}")


def _check_profile(body: bytes) -> None:
    """Inflate a colour profile, no further than one may be long."""
    name, zero, packed = body.partition(b"\0")
    if not zero or len(name) >= _ENDS_KEYWORD or packed[:1] != b"\0":
        raise Rejected(Reason.MALFORMED, "colour profile")
    inflating = zlib.decompressobj()
    try:
        inflating.decompress(packed[1:], PROFILE_BYTES)
    except zlib.error as error:
        raise Rejected(Reason.CORRUPT, "colour profile") from error
    if inflating.unconsumed_tail:
        raise Rejected(Reason.INFLATING, "colour profile")
