"""What bytes say of themselves, read before any decoder sees them. Pure, linear, bounded.

`examine` walks the structure of a JPEG, PNG or GIF from end to end, refuses what is unsound, too big or two
things at once, and gives back the *picture*: the same image without anything a decoder does not need.
Comments, EXIF, XMP, text, previews, later frames and trailers never reach the C libraries.
"""

import re
from math import ceil
from typing import NamedTuple

from talkwire.sanitation.carried import AS_THEY_ARE, SCHEME, TAGS
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.model import Limits, Reason
from talkwire.sanitation.sniff import HEAD_BYTES, ImageType

PROFILE_BYTES = 4 * 1024 * 1024
"""No ICC profile is longer: the largest in use, of printing presses, have some 2.5 MB."""

PARTS = 20_000
"""Segments, chunks, blocks: real pictures have hundreds."""


class Header(NamedTuple):
    """What a picture says of itself."""

    image_type: ImageType
    width: int
    height: int
    picture: bytes  # what the decoder gets
    orientation: int = 1  # EXIF's, 1 to 8: how the picture is to be turned
    frames: int = 1
    held_bytes: int = 0  # what the decoder has to hold at once, when that is more than some lines
    coded_bytes: int = 0  # of `picture`, what codes pixels: not tables, not profiles

    def size_within(self, long_side: int) -> tuple[int, int]:
        """Width and height, made smaller to that long side if need be; 0 keeps them."""
        scale = min(1.0, long_side / max(self.width, self.height)) if long_side else 1.0
        return ceil(self.width * scale), ceil(self.height * scale)


_FOREIGN = re.compile(
    b"|".join(re.escape(known_by) for known_by in (*AS_THEY_ARE, *TAGS, SCHEME, b"<?=", b"<%"))
    + rb"|\A(?:MZ|#!|\x1f\x8b|BZh|\xca\xfe\xba\xbe|\xfe\xed\xfa[\xce\xcf]|\xcf\xfa\xed\xfe|RIFF|GIF8|\x89PNG)",
    re.IGNORECASE,
)
"""Beginnings of documents, archives and programs."""

_LOOK_BYTES = 128 * 1024
"""Looked for at both ends of a trailer: an archive's directory is at its end, all others say at once what they are."""

_PADDING = b"\0\xff \t\r\n"


def check_trailer(data: bytes, end: int) -> None:
    """Cameras write behind the end of a picture; that is dropped. Another document there is refused.

    Raises Rejected.
    """
    if len(data) == end:
        return
    trailer = data[end:].lstrip(_PADDING)
    found = _FOREIGN.search(trailer[:_LOOK_BYTES]) or _FOREIGN.search(trailer[-_LOOK_BYTES:])
    if found is not None:
        raise Rejected(Reason.POLYGLOT, f"{found.group()!r} behind the end")


def check_size(width: int, height: int, limits: Limits) -> None:
    """Raises Rejected."""
    if not width or not height:
        raise Rejected(Reason.MALFORMED, "a side of 0")
    if max(width, height) > limits.side or width * height > limits.pixels:
        raise Rejected(Reason.TOO_BIG, f"{width}x{height}")


_STARTS = {b"\xff\xd8": ImageType.JPEG, b"\x89PNG\r\n\x1a\n": ImageType.PNG, b"GIF8": ImageType.GIF}


def kind_of(data: bytes) -> ImageType:
    """The kind that the first bytes claim. Raises Rejected."""
    head = data[:HEAD_BYTES]
    for start, image_type in _STARTS.items():
        if head.startswith(start):
            return image_type
    raise Rejected(Reason.NOT_AN_IMAGE, repr(head[:8]))
