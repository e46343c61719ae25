"""Decode, and have encoded anew. In the worker only, as all that touches libvips."""

import re
from collections.abc import Callable

import pyvips

from talkwire.sanitation.encoding import encode
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.examine import examine
from talkwire.sanitation.gif import check_encodable
from talkwire.sanitation.headers import Header
from talkwire.sanitation.model import Limits, Reason, Rebuilt, Wish
from talkwire.sanitation.padding import without_padding
from talkwire.sanitation.previews import make_preview
from talkwire.sanitation.sniff import ImageType

Examined = Callable[[Header], None]

_LOADERS = {"VipsForeignLoadJpegBuffer", "VipsForeignLoadPngBuffer", "VipsForeignLoadNsgifBuffer"}
_HELD_BYTES = 64 * 1024 * 1024
"""A picture up to this size is decoded once and held; a larger one flows through, line by line."""

_GIF_SHARE = 8
"""A GIF is held up to so much less: its encoder holds three more of it."""

_ROOM = 1.2
"""How much larger than wanted a JPEG is decoded, at least, when it is to shrink."""

_CUT_OFF = re.compile(r"premature end|truncat|unexpected end|end of (?:file|input|data|gif)", re.IGNORECASE)
_NO_MEMORY = re.compile(r"memory|alloc", re.IGNORECASE)

_TURNS: dict[int, tuple[str, ...]] = {
    2: ("fliphor",), 3: ("rot180",), 4: ("flipver",), 5: ("rot90", "fliphor"),
    6: ("rot90",), 7: ("rot270", "fliphor"), 8: ("rot270",),
}  # fmt: skip
"""By EXIF orientation. Source: EXIF 2.3, 4.6.4."""


def prepare() -> None:
    """Only our three loaders, no cache, one thread of computing."""
    pyvips.cache_set_max(0)
    pyvips.vips_lib.vips_concurrency_set(1)
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in _LOADERS:
        pyvips.operation_block_set(loader, False)


def rebuild(data: bytes, wish: Wish, limits: Limits, examined: Examined = lambda _: None) -> Rebuilt:
    """The picture anew, and its preview. `examined` hears what will be decoded, before it is. Raises Rejected."""
    header = examine(data, limits)
    if header.image_type is ImageType.GIF:
        check_encodable(header, wish.long_side, limits)
    try:
        examined(without_padding(header))
        return _rebuild(header, wish, limits)
    except pyvips.Error as error:
        raise Rejected(_reason_of(str(error)), str(error)) from error
    except MemoryError as error:
        raise Rejected(Reason.TOO_COSTLY, "memory") from error


def rebuild_preview(data: bytes, wish: Wish, limits: Limits, examined: Examined = lambda _: None) -> Rebuilt:
    """A preview anew. Raises Rejected."""
    header = examine(data, limits)
    try:
        examined(without_padding(header))
        pixels = _upright(_decode(header, wish.preview_side).copy_memory(), header)
        preview, preview_type = make_preview(pixels, wish)
    except pyvips.Error as error:
        raise Rejected(_reason_of(str(error)), str(error)) from error
    except MemoryError as error:
        raise Rejected(Reason.TOO_COSTLY, "memory") from error
    return Rebuilt(b"", preview_type, 0, 0, preview, preview_type)


def _rebuild(header: Header, wish: Wish, limits: Limits) -> Rebuilt:
    pixels = _decode(header, wish.long_side)
    most = _HELD_BYTES // (_GIF_SHARE if header.image_type is ImageType.GIF else 1)
    is_small = pixels.width * pixels.height * pixels.bands <= most
    is_held = header.orientation > 1 or (wish.want_preview and is_small)
    if is_held:
        pixels = _upright(pixels.copy_memory(), header)
    width, height = pixels.width, pixels.height
    source = header
    if header.image_type is ImageType.GIF and not is_held:
        source = _packed(pixels)
        pixels = _decode(source, wish.long_side)
    flowing = [] if is_held else [pixels]  # may be read once

    def again() -> pyvips.Image:
        return pixels if is_held else flowing.pop() if flowing else _decode(source, wish.long_side)

    image = encode(again, header, wish, limits)
    preview, preview_type = b"", ImageType.JPEG
    if wish.want_preview:
        if not is_held:  # what flowed through is gone: our own encoding is read again
            ours = examine(image, limits) if source is header else source
            pixels = _decode(ours, wish.preview_side).copy_memory()
        preview, preview_type = make_preview(pixels, wish)
    return Rebuilt(image, header.image_type, width, height, preview, preview_type)


def _packed(pixels: pyvips.Image) -> Header:
    """The same as a PNG of ours. The decoder of GIF holds a whole frame, and its encoder three: not both at once."""
    packed = pixels.pngsave_buffer(compression=1, filter="none", keep="none")
    return Header(ImageType.PNG, pixels.width, pixels.height, packed)


def _decode(header: Header, long_side: int) -> pyvips.Image:
    """Pixels in sRGB or grey of 8 bits, no larger than wished; read line by line, once."""
    scale = min(1.0, long_side / max(header.width, header.height)) if long_side else 1.0
    pixels = _load(header, scale)
    if scale < 1.0:
        pixels = _shrunk(pixels, max(header.width, header.height) * scale)
    return _coloured(pixels)


def _load(header: Header, scale: float) -> pyvips.Image:
    if header.image_type is ImageType.JPEG:  # its warnings are what a cut or flipped scan is told by
        thin = min(header.width, header.height)
        factors = [factor for factor in (8, 4, 2) if factor * scale * _ROOM <= 1 and factor <= thin]
        return pyvips.Image.jpegload_buffer(
            header.picture, access="sequential", fail_on="warning", shrink=max(factors, default=1)
        )
    load = {ImageType.PNG: pyvips.Image.pngload_buffer, ImageType.GIF: pyvips.Image.gifload_buffer}
    return load[header.image_type](header.picture, access="sequential", fail_on="error")


def _shrunk(pixels: pyvips.Image, long_side: float) -> pyvips.Image:
    scale = long_side / max(pixels.width, pixels.height)
    across = max(scale, 1 / pixels.width)
    down = max(scale, 1 / pixels.height)
    if not pixels.hasalpha():
        return pixels.resize(across, vscale=down)
    kind = pixels.format
    return pixels.premultiply().resize(across, vscale=down).unpremultiply().cast(kind)


def _coloured(pixels: pyvips.Image) -> pyvips.Image:
    """sRGB, or grey: 8 bits a band, profile applied."""
    is_grey = pixels.interpretation in {"b-w", "grey16"}
    if pixels.format != "uchar":
        pixels = pixels.colourspace("b-w" if is_grey else "srgb")
    if pixels.get_typeof("icc-profile-data"):
        try:
            return pixels.icc_transform(
                "srgb", embedded=True, intent="relative", black_point_compensation=True
            )
        except pyvips.Error:  # a profile that is none: the picture is taken for what its bands say
            pixels = pixels.copy()
            pixels.remove("icc-profile-data")
    return pixels if pixels.interpretation in {"b-w", "srgb"} else pixels.colourspace("srgb")


def _upright(pixels: pyvips.Image, header: Header) -> pyvips.Image:
    for turn in _TURNS.get(header.orientation, ()):
        if turn.startswith("flip"):
            pixels = pixels.flip("horizontal" if turn == "fliphor" else "vertical")
        else:
            pixels = pixels.rot(f"d{turn.removeprefix('rot')}")
    return pixels


def _reason_of(message: str) -> Reason:
    if _CUT_OFF.search(message):
        return Reason.TRUNCATED
    return Reason.TOO_COSTLY if _NO_MEMORY.search(message.replace("copy to memory", "")) else Reason.CORRUPT
