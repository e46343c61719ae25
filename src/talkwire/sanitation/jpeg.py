"""Read the structure of a JPEG. Pure.

Source: ITU-T T.81, Annex B; EXIF 2.3, 4.5; ICC.1, B.4 (profiles in JPEG files).
"""

import re
import struct

from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.exif import orientation_of
from talkwire.sanitation.headers import PARTS, PROFILE_BYTES, Header, check_size, check_trailer
from talkwire.sanitation.model import Limits, Reason
from talkwire.sanitation.sniff import ImageType

SCANS = 100
_PASSES = 16
"""Progressive pictures have about ten scans. Each more costs a pass over all pixels: the larger a picture, the
fewer it may have."""

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Ends entropy-coded data: neither a stuffed byte, nor a restart, nor padding."""

_FILL = re.compile(rb"\xff+")

_EOI, _SOS = 0xD9, 0xDA
_TABLES = frozenset({0xC4, 0xDB, 0xDD})  # Huffman, quantisation, restart interval
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive; nobody sends the others
_PROGRESSIVE = 0xC2
_OTHER_FRAMES = frozenset(range(0xC0, 0xD0)) - _FRAMES - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE

_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
"""Says that three components are YCbCr. Resolution and thumbnail are not taken over."""


class _Walk:
    """What was found on the way."""

    def __init__(self) -> None:
        self.kept: list[bytes] = [b"\xff\xd8"]
        self.size: tuple[int, int] | None = None
        self.orientation = 1
        self.held_bytes = 0
        self.coded_bytes = 0
        self.scans = 0
        self.profile_bytes = 0
        self.seen: set[int] = set()


def examine_jpeg(data: bytes, limits: Limits) -> Header:
    """Raises Rejected."""
    walk, at = _Walk(), 2
    for _ in range(PARTS):
        at, marker = _marker_at(data, at)
        if marker == _EOI:
            break
        end = _segment_end(data, at, marker)
        _take(walk, marker, data[at + 2 : end], limits)
        at = _scan(walk, data, end, limits) if marker == _SOS else end
    else:
        raise Rejected(Reason.MALFORMED, "too many segments")
    if walk.size is None or not walk.scans:
        raise Rejected(Reason.MALFORMED, "no picture in it")
    check_trailer(data, at)
    picture = b"".join([*walk.kept, b"\xff\xd9"])
    return Header(ImageType.JPEG, *walk.size, picture, walk.orientation, 1, walk.held_bytes, walk.coded_bytes)


def _marker_at(data: bytes, at: int) -> tuple[int, int]:
    """Where the marker at `at` ends, and which it is."""
    if data[at : at + 1] not in {b"\xff", b""}:
        raise Rejected(Reason.MALFORMED, f"no marker at {at}")
    filled = _FILL.match(data, at)
    if filled is not None:
        at = filled.end() - 1
    if at + 2 > len(data):
        raise Rejected(Reason.TRUNCATED, "no end of image")
    marker = data[at + 1]
    if marker == 0 or marker in _STANDALONE:
        raise Rejected(Reason.MALFORMED, f"marker {marker:02x} at {at}")
    return at + 2, marker


def _segment_end(data: bytes, at: int, marker: int) -> int:
    if at + 2 > len(data):
        raise Rejected(Reason.TRUNCATED, "cut off in a segment")
    length = int.from_bytes(data[at : at + 2], "big")
    if length < 2:  # noqa: PLR2004 -- the length counts itself
        raise Rejected(Reason.MALFORMED, f"segment {marker:02x} of {length} bytes")
    if at + length > len(data):
        raise Rejected(Reason.TRUNCATED, "cut off in a segment")
    return at + length


def _take(walk: _Walk, marker: int, body: bytes, limits: Limits) -> None:
    """Keep what a decoder needs of a segment, and learn from it."""
    if marker in _TABLES or marker == _SOS:
        _keep(walk, marker, body)
    elif marker in _FRAMES:
        _take_frame(walk, marker, body, limits)
    elif marker in _OTHER_FRAMES:
        raise Rejected(Reason.MALFORMED, f"coding {marker:02x} is not supported")
    elif marker == _APP0 and body.startswith(b"JFIF\0") and marker not in walk.seen:
        walk.kept.append(_JFIF)
        walk.seen.add(marker)
    elif marker == _APP1 and body.startswith(b"Exif\0\0") and marker not in walk.seen:
        walk.orientation = orientation_of(body[6:])
        walk.seen.add(marker)
    elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0"):
        walk.profile_bytes += len(body)
        if walk.profile_bytes > PROFILE_BYTES:
            raise Rejected(Reason.INFLATING, "colour profile")
        _keep(walk, marker, body)
    elif marker == _APP14 and body.startswith(b"Adobe") and marker not in walk.seen:
        _keep(walk, marker, body[:12])
        walk.seen.add(marker)


def _keep(walk: _Walk, marker: int, body: bytes) -> None:
    walk.kept.append(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)


def _take_frame(walk: _Walk, marker: int, body: bytes, limits: Limits) -> None:
    if walk.size is not None:
        raise Rejected(Reason.MALFORMED, "two frames")
    if len(body) < 6:  # noqa: PLR2004
        raise Rejected(Reason.MALFORMED, "frame header")
    precision, height, width, components = struct.unpack(">BHHB", body[:6])
    if precision != 8 or components not in {1, 3, 4} or len(body) != 6 + 3 * components:  # noqa: PLR2004
        raise Rejected(Reason.MALFORMED, f"{components} components of {precision} bits")
    check_size(width, height, limits)
    walk.size = width, height
    if marker == _PROGRESSIVE:  # all coefficients are held until the last scan
        walk.held_bytes = 2 * _samples(width, height, body[7::3])
    _keep(walk, marker, body)


def _samples(width: int, height: int, samplings: bytes) -> int:
    factors = [(sampling >> 4, sampling & 15) for sampling in samplings]
    across, down = max(h for h, _ in factors), max(v for _, v in factors)
    if not all(1 <= factor <= 4 for pair in factors for factor in pair):  # noqa: PLR2004
        raise Rejected(Reason.MALFORMED, "sampling factors")
    return sum(width * height * h * v for h, v in factors) // (across * down)


def _scan(walk: _Walk, data: bytes, start: int, limits: Limits) -> int:
    """Keep entropy-coded data; where the marker behind it begins."""
    if walk.size is None:
        raise Rejected(Reason.MALFORMED, "a scan before its frame")
    walk.scans += 1
    if walk.scans > SCANS or walk.scans * walk.size[0] * walk.size[1] > _PASSES * limits.pixels:
        raise Rejected(Reason.TOO_MANY_FRAMES, "scans")
    found = _NEXT_MARKER.search(data, start)
    if found is None:
        raise Rejected(Reason.TRUNCATED, "no end of image")
    walk.kept.append(data[start : found.start()])
    walk.coded_bytes += found.start() - start
    return found.start()


def with_jfif(encoded: bytes) -> bytes:
    """As `encoded`, which has no application segment, but known as JFIF to the simplest reader."""
    return encoded[:2] + _JFIF + encoded[2:]
