"""Small files that would cost much: time, memory, or both."""

import random
import struct
import zlib
from collections.abc import Iterator

import pyvips

from corpus.case import SECRET, Case, cleaned, either, refused
from corpus.parts import (
    PNG_SIGNATURE,
    chunk,
    exif,
    exif_segment,
    gif,
    gif_blocks,
    gif_extension,
    gif_with,
    jpeg,
    jpeg_with,
    padded_gif,
    png,
    png_header,
    png_with,
    profile,
    quarters,
    repeating_gif,
    segment,
)
from talkwire.sanitation.model import Reason

_END = chunk(b"IEND", b"")


def bombs() -> Iterator[Case]:
    """One at a time: some are large."""
    yield from _sizes()
    yield from _jpegs()
    yield from _pngs()
    yield from _gifs()


def _sizes() -> Iterator[Case]:
    for width, height in (
        (65_500, 65_500),
        (65_535, 1),
        (1, 65_535),
        (16_385, 8),
        (20_000, 2_001),
        (8_000, 8_000),
    ):
        frame = struct.pack(">BHHB", 8, height, width, 3) + b"\1\x22\0\2\x11\1\3\x11\1"
        at = jpeg().index(b"\xff\xc0")
        yield refused(
            f"jpeg of {width} by {height}",
            jpeg()[:at] + segment(0xC0, frame) + jpeg()[at + 19 :],
            Reason.TOO_BIG,
        )
        yield refused(f"png of {width} by {height}", png_header(width, height) + png()[33:], Reason.TOO_BIG)
        yield refused(
            f"gif of {width} by {height}",
            gif()[:6] + struct.pack("<HH", width, height) + gif()[10:],
            Reason.TOO_BIG,
        )
    yield refused(
        "png of 2 billion by 2 billion", png_header(2**31 - 1, 2**31 - 1) + png()[33:], Reason.TOO_BIG
    )
    yield refused(
        "png of 1 bit, 40,000 by 40,000", png_header(40_000, 40_000, 1, 0) + png()[33:], Reason.TOO_BIG
    )


def _jpegs() -> Iterator[Case]:
    large = _solid(6_300, 6_300).jpegsave_buffer(interlace=True, keep="none", subsample_mode="off")
    start, scan = large.index(b"\xff\xda"), large.rindex(b"\xff\xda")
    last = large[scan:-2]
    yield refused(
        "progressive, 40 megapixels, 90 scans", large[:-2] + last * 80 + b"\xff\xd9", Reason.TOO_MANY_FRAMES
    )
    yield refused(
        "progressive, 10,000 scans", large[:-2] + last * 10_000 + b"\xff\xd9", Reason.TOO_MANY_FRAMES
    )
    small = jpeg(progressive=True)
    again = small[small.rindex(b"\xff\xda") : -2]
    yield refused(
        "progressive, small, 5,000 scans", small[:-2] + again * 5_000 + b"\xff\xd9", Reason.TOO_MANY_FRAMES
    )
    at = large.index(b"\xff\xc2")
    inks = struct.pack(">BHHB", 8, 6_300, 6_300, 4) + b"\1\x11\0\2\x11\1\3\x11\1\4\x11\0"
    yield refused(
        "progressive, 40 megapixels, four inks",
        large[:at] + segment(0xC2, inks) + large[start:],
        Reason.TOO_COSTLY,
    )
    yield refused("a million segments", jpeg_with(b"\xff\xfe\0\2" * 1_000_000), Reason.MALFORMED)
    yield refused("a hundred thousand tables", jpeg_with(segment(0xDD, b"\0\0") * 100_000), Reason.MALFORMED)
    yield cleaned("5 MB of fill bytes", jpeg_with(b"\xff" * 5_000_000))
    yield cleaned("5 MB of stuffing behind the end", jpeg() + b"\0" * 5_000_000)
    yield cleaned("5 MB of angle brackets behind the end", jpeg() + b"<" * 5_000_000)
    yield cleaned("exif in a circle", jpeg_with(exif_segment(exif(secret=SECRET, depth=1))))
    yield cleaned("exif in exif in exif", jpeg_with(exif_segment(_nested(40))))
    yield cleaned(
        "exif with 65,535 entries", jpeg_with(exif_segment(b"II*\0\x08\0\0\0\xff\xff" + b"\1" * 60_000))
    )
    yield cleaned("exif that starts at 4 GB", jpeg_with(exif_segment(b"II*\0\xff\xff\xff\xff" + SECRET)))
    yield cleaned(
        "70 segments of extended xmp",
        jpeg_with(*(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000)),) * 70),
    )
    pieces = (segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 255]) + bytes(60_000)) for n in range(1, 80))
    yield refused("a profile of 5 MB", jpeg_with(*pieces), Reason.INFLATING)


def _nested(depth: int) -> bytes:
    inner = exif(secret=SECRET)
    for _ in range(depth):
        inner = exif(secret=SECRET, thumbnail=inner[:8_000])
    return inner


def _solid(width: int, height: int) -> pyvips.Image:
    return (
        pyvips.Image.black(width, height, bands=3)
        .linear(1, [200, 10, 10])
        .cast("uchar")
        .copy(interpretation="srgb")
    )


def _pngs() -> Iterator[Case]:
    def packed(size: int) -> bytes:
        packing = zlib.compressobj(9)
        return b"".join([*(packing.compress(bytes(1 << 20)) for _ in range(size >> 20)), packing.flush()])

    hundred = packed(100 << 20)
    yield cleaned("100 MB of packed text", png_with(chunk(b"zTXt", b"a\0\0" + hundred)))
    yield cleaned("100 MB of international text", png_with(chunk(b"iTXt", b"a\0\1\0\0\0" + hundred)))
    yield cleaned("fifty times 100 MB of text", png_with(*(chunk(b"zTXt", b"a\0\0" + hundred),) * 50))
    yield cleaned("text packed twice", png_with(chunk(b"zTXt", b"a\0\0" + zlib.compress(hundred))))
    yield refused("a profile of 100 MB", png_with(chunk(b"iCCP", b"a\0\0" + hundred)), Reason.INFLATING)
    yield refused(
        "a profile of 5 MB in nothing", png_with(chunk(b"iCCP", b"a\0\0" + packed(5 << 20))), Reason.INFLATING
    )
    yield cleaned("a profile and a second of 100 MB", png_with(
        chunk(b"iCCP", b"a\0\0" + zlib.compress(profile())), chunk(b"iCCP", b"a\0\0" + hundred)))  # fmt: skip
    yield cleaned("more pixels than it says", png_header(8, 8) + chunk(b"IDAT", hundred) + _END)
    yield refused(
        "a hundred thousand chunks", png_with(*(chunk(b"tEXt", b"a\0"),) * 100_000), Reason.MALFORMED
    )
    yield refused("a hundred thousand empty pieces of pixels", PNG_SIGNATURE + png()[8:33] + chunk(b"IDAT", b"") * 100_000 + png()[33:],
                  Reason.MALFORMED)  # fmt: skip
    yield refused("10,000 frames", png_with(*(chunk(b"fcTL", bytes(26)),) * 10_000), Reason.TOO_MANY_FRAMES)
    costs = (Reason.TOO_COSTLY,)
    yield refused(
        "40 megapixels of 64 bits, interlaced",
        png_header(6_300, 6_300, 16, 6, 1) + chunk(b"IDAT", hundred) + _END,
        *costs,
    )
    yield either(
        "40 megapixels of 64 bits",
        png_header(6_300, 6_300, 16, 6) + chunk(b"IDAT", packed(320 << 20)) + _END,
        *costs,
    )
    yield either(
        "40 megapixels of 64 bits, and 2 MB of junk behind them",
        png_header(6_300, 6_300, 16, 6)
        + chunk(b"IDAT", packed(320 << 20))
        + chunk(b"IDAT", random.Random(1).randbytes(2_000_000))
        + _END,
        *costs,
    )
    yield either(
        "40 megapixels of one bit, interlaced",
        png_header(6_300, 6_300, 1, 0, 1) + chunk(b"IDAT", packed(8 << 20)) + _END,
        *costs,
    )


def _gifs() -> Iterator[Case]:
    yield refused("10,000 frames of a gif", _animated(10_000), Reason.TOO_MANY_FRAMES)
    yield cleaned("1,500 frames of a gif", _animated(1_500))
    dot = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2" + gif_blocks(b"\x44\1")
    table = b"\0\0\0\xff\xff\xff"
    yield refused("a canvas of 65,535 by 65,535 for one dot", b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + table + dot + b";",
                  Reason.TOO_BIG)  # fmt: skip
    outside = b"\x2c" + struct.pack("<HHHHB", 65_000, 65_000, 500, 500, 0) + b"\2" + gif_blocks(b"\x44\1")
    yield refused(
        "a frame far outside",
        b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + table + outside + b";",
        Reason.TOO_BIG,
    )
    yield refused(
        "a second frame far outside",
        b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + table + dot + outside + b";",
        Reason.TOO_BIG,
    )
    yield refused(
        "two million blocks of one byte", gif_with(b"\x21\xfe" + b"\1a" * 2_000_000 + b"\0"), Reason.MALFORMED
    )
    yield refused("a million extensions", gif_with(b"\x21\xfe\0" * 1_000_000), Reason.MALFORMED)
    yield cleaned("4 MB of comment", gif_with(gif_extension(0xFE, bytes(4_000_000))))
    repeating, junk = repeating_gif(3_300, 257), random.Random(2).randbytes(2_000_000)
    yield either("a gif that takes long to encode", repeating, Reason.TOO_COSTLY)
    yield either(
        "a gif that takes long to encode, and 2 MB of junk behind its pixels",
        padded_gif(repeating, junk),
        Reason.TOO_COSTLY,
    )
    yield refused("40 megapixels of gif", b"GIF89a" + struct.pack("<HHBBB", 6_300, 6_300, 0x80, 0, 0) + table
                  + b"\x2c" + struct.pack("<HHHHB", 0, 0, 6_300, 6_300, 0) + b"\2" + gif_blocks(b"\x44\1") + b";",
                  Reason.TOO_COSTLY)  # fmt: skip


def _animated(frames: int) -> bytes:
    """The same small picture, again and again."""
    base = quarters(8, 8).gifsave_buffer(keep="none", dither=0)
    at = 13 + (3 << ((base[10] & 7) + 1) if base[10] & 0x80 else 0)
    control = gif_extension(0xF9, b"\0\2\0\0")
    image = base[base.index(b"\x2c", at) : -1]
    loop = b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    return bytes(base[:at] + loop + (control + image) * frames + b";")
