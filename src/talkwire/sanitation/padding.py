"""Coded bytes that make no pixel: they buy no processor time. In the worker only.

Bytes behind the last pixel are read by no decoder, but count in a file's length, which is what a picture's time is
measured by. Where the pixels end only a decoder can tell: one is given a part of the codes.
"""

import pyvips

from talkwire.sanitation.gif import shortened
from talkwire.sanitation.headers import Header
from talkwire.sanitation.png import are_all_pixels_in
from talkwire.sanitation.sniff import ImageType

_FREE_BYTES = 256 * 1024
"""Fewer buy a quarter of a second: not worth a look."""

_SHARE = 7 / 8
_WHITE = 255


def without_padding(header: Header) -> Header:
    """The same; no bytes are counted as coded pixels when an eighth or more of them stand behind the last pixel.

    Raises pyvips.Error.
    """
    if header.coded_bytes <= _FREE_BYTES:
        return header
    is_padded = {ImageType.GIF: _is_gif_padded, ImageType.PNG: _is_png_padded}.get(header.image_type)
    if is_padded is None or not is_padded(header):
        return header
    return header._replace(coded_bytes=0)


def _is_png_padded(header: Header) -> bool:
    return are_all_pixels_in(header.picture, _SHARE)


def _is_gif_padded(header: Header) -> bool:
    part = shortened(header.picture, _SHARE)
    pixels = pyvips.Image.gifload_buffer(part.data, access="sequential", fail_on="error")
    last = pixels.crop(part.last_across, part.last_down, 1, 1)
    return bool(last.min() == _WHITE)
