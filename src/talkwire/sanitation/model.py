"""The nouns of sanitation."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from talkwire.sanitation.sniff import ImageType

MIB = 1024 * 1024


class Reason(StrEnum):
    """Why a file was rejected: the verdict's word in the log, the audit and the metrics."""

    NOT_AN_IMAGE = "not an image"  # its first bytes are none of our kinds
    MALFORMED = "malformed"  # the structure around the pixels does not hold together
    TRUNCATED = "truncated"  # the end is missing
    CORRUPT = "corrupt"  # the decoder stumbled
    TOO_BIG = "too big"  # more pixels, or a longer side, than we decode
    TOO_MANY_FRAMES = "too many frames"  # or scans, of a progressive JPEG
    INFLATING = "inflating"  # a small part that swells beyond all reason
    POLYGLOT = "polyglot"  # another document begins where the picture ends, or is carried by its pixels
    TOO_COSTLY = "too costly"  # it used up its time or its memory; the worker was ended
    CRASHED = "crashed"  # the worker died of it


class Wish(msgspec.Struct, frozen=True):
    """What is wanted of one picture."""

    long_side: int = 0  # pixels at most; 0 keeps the size. Nothing is ever enlarged
    jpeg_quality: int = 85
    png_compression: int = 6
    preview_bytes: int = 30 * 1024  # a preview is smaller than this
    preview_side: int = 240
    want_preview: bool = True
    image_bytes: int = 0  # the picture anew is no larger; 0: as `Limits.output_bytes` says


class Rebuilt(NamedTuple):
    """A picture of our own making. Of the bytes it came from, nothing is left but what one sees."""

    image: bytes
    image_type: ImageType
    width: int
    height: int
    preview: bytes  # empty when none was wanted
    preview_type: ImageType


class Limits(msgspec.Struct, frozen=True):
    """What a picture may cost."""

    pixels: int = 40_000_000
    side: int = 16_384
    frames: int = 2_000  # of an animated GIF, all but the first of which are dropped
    cpu_seconds: float = 1.0  # and as much again for each MiB of coded pixels
    wall_seconds: float = 30.0
    memory_bytes: int = 256 * MIB  # over what an idle worker has
    output_bytes: int = 64 * MIB
    queue: int = 256  # pictures that wait for a worker
