"""Encode pixels: the first way whose bytes are few enough and carry nothing else is taken. In the worker only."""

from collections.abc import Callable, Sequence

import pyvips

from talkwire.sanitation.carried import find_carried
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.examine import examine
from talkwire.sanitation.headers import Header
from talkwire.sanitation.jpeg import with_jfif
from talkwire.sanitation.model import Limits, Reason, Wish
from talkwire.sanitation.sniff import ImageType

Way = Callable[[pyvips.Image], bytes]

_HOPELESS = 2
"""So many times too large, no other way will do."""


_DITHERED_PIXELS = 2_000_000
"""A GIF of more is not dithered: that alone takes twice the time of all else."""


def encode(pixels: Callable[[], pyvips.Image], header: Header, wish: Wish, limits: Limits) -> bytes:
    """The picture's bytes. `pixels` is called once for each way that is tried. Raises Rejected."""
    most = min(wish.image_bytes or limits.output_bytes, limits.output_bytes)
    trouble = Reason.INFLATING, ""
    for way in _ways(header, wish, limits):
        encoded = way(pixels())
        if len(encoded) > most:
            trouble = Reason.INFLATING, f"{len(encoded)} bytes when rebuilt, at most {most}"
            if len(encoded) > _HOPELESS * most:
                break
        elif (carried := find_carried(encoded)) is not None:
            trouble = Reason.POLYGLOT, f"{carried!r} is carried by its pixels"
        else:
            return encoded
    raise Rejected(*trouble)  # made only here: one that this frame holds would hold the pixels


def _ways(header: Header, wish: Wish, limits: Limits) -> Sequence[Way]:
    """The usual one first; the others give other bytes, and most often fewer where the first gives too many."""
    if header.image_type is ImageType.JPEG:
        good, fair = wish.jpeg_quality, max(1, wish.jpeg_quality - 15)
        return [_jpeg(good), _jpeg(good, optimize_coding=True), _jpeg(fair, optimize_coding=True)]
    if header.image_type is ImageType.PNG:
        return [_png(filtering, wish, limits) for filtering in ("up", "none", "paeth")]
    width, height = header.size_within(wish.long_side)
    if (width, height) == (header.width, header.height) or width * height > _DITHERED_PIXELS:
        flat = {
            "dither": 0.0,
            "effort": 3,
        }  # it has no more colours than a GIF holds: there is nothing to dither
        return [_gif(limits, **flat), _gif(limits, interlace=True, **flat), _gif(limits, bitdepth=7, **flat)]
    return [_gif(limits), _gif(limits, interlace=True, effort=5), _gif(limits, dither=0.0, effort=3)]


def _jpeg(quality: int, **options: bool) -> Way:
    return lambda pixels: with_jfif(pixels.jpegsave_buffer(Q=quality, keep="none", **options))


def _png(filtering: str, wish: Wish, limits: Limits) -> Way:
    """Without what the encoder says of resolution."""

    def way(pixels: pyvips.Image) -> bytes:
        encoded = pixels.pngsave_buffer(compression=wish.png_compression, filter=filtering, keep="none")
        return examine(encoded, limits).picture

    return way


def _gif(limits: Limits, **options: float) -> Way:
    """Without what the encoder says of repetition."""
    return lambda pixels: examine(pixels.gifsave_buffer(keep="none", **options), limits).picture
