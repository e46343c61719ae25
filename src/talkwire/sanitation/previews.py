"""Make a preview that is small enough, by stepping its quality and then its size. In the worker only."""

from collections.abc import Iterator
from math import ceil

import pyvips

from talkwire.sanitation.carried import find_carried
from talkwire.sanitation.examine import examine
from talkwire.sanitation.jpeg import with_jfif
from talkwire.sanitation.model import Limits, Wish
from talkwire.sanitation.sniff import ImageType

_QUALITIES = (75, 60, 40)
_LEAST_SIDE = 8
_OPAQUE = 255
_STEP = 0.6
_WHOLE = 3
"""From so many times too large on, shrinking by a whole number does: half the time, and a little smaller."""


def make_preview(pixels: pyvips.Image, wish: Wish) -> tuple[bytes, ImageType]:
    """Smaller than `wish.preview_bytes`, and nothing else than a picture: JPEG, or PNG if one can see through it.

    Empty if nothing is that.
    """
    side: float = wish.preview_side
    while side >= _LEAST_SIDE:
        for preview, image_type in _encoded(_small(pixels, side)):
            if len(preview) < wish.preview_bytes and find_carried(preview) is None:
                return preview, image_type
        side *= _STEP
    return b"", ImageType.JPEG


def _small(pixels: pyvips.Image, side: float) -> pyvips.Image:
    ratio = max(pixels.width, pixels.height) / side
    if ratio <= 1:
        return pixels
    across, down = min(ratio, pixels.width), min(ratio, pixels.height)
    premultiplied = pixels.premultiply() if pixels.hasalpha() else pixels
    if ratio >= _WHOLE:
        small = premultiplied.shrink(ceil(across), ceil(down), ceil=True)
    else:
        small = premultiplied.resize(1 / across, vscale=1 / down)
    return small.unpremultiply().cast("uchar").copy_memory() if pixels.hasalpha() else small


def _encoded(small: pyvips.Image) -> Iterator[tuple[bytes, ImageType]]:
    """From the best to the smallest."""
    if small.hasalpha():
        if small[small.bands - 1].min() < _OPAQUE:
            for filtering in ("up", "none"):
                encoded = small.pngsave_buffer(compression=9, filter=filtering, keep="none")
                yield examine(encoded, Limits()).picture, ImageType.PNG
            return
        small = small[: small.bands - 1]
    for quality in _QUALITIES:
        yield with_jfif(small.jpegsave_buffer(Q=quality, keep="none")), ImageType.JPEG
