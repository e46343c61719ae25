"""Photos as cameras and programs write them: metadata of every kind, with a secret in each."""

import struct
import zlib

from corpus.case import SECRET, Case, cleaned
from corpus.parts import (
    chunk,
    exif,
    exif_segment,
    gif_blocks,
    gif_extension,
    gif_with,
    iptc,
    jpeg,
    jpeg_with,
    png_with,
    profile,
    segment,
    xmp,
)

_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", 100, 0)


def photos() -> list[Case]:
    return [*_jpegs(), *_trailers(), *_pngs(), *_gifs()]


def _jpegs() -> list[Case]:
    full = exif_segment(exif(secret=SECRET, thumbnail=jpeg() + SECRET))
    packet = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(SECRET))
    record = segment(0xED, iptc(SECRET))
    parts: dict[str, list[bytes]] = {
        "exif": [full],
        "exif, big-endian": [exif_segment(exif(secret=SECRET, order=">"))],
        "exif with a thumbnail": [exif_segment(exif(secret=SECRET, thumbnail=jpeg() + SECRET * 3))],
        "exif twice": [full, full],
        "exif whose directories circle": [exif_segment(exif(secret=SECRET, depth=1))],
        "xmp": [packet],
        "extended xmp": [packet, segment(0xE1, _EXTENDED + SECRET)],
        "iptc": [record],
        "exif, xmp and iptc": [full, packet, record],
        "comment": [segment(0xFE, SECRET)],
        "ten comments": [segment(0xFE, SECRET)] * 10,
        "jfif thumbnail": [segment(0xE0, b"JFIF\0\1\1\1\0\x48\0\x48\x04\x08" + SECRET.ljust(96, b"!"))],
        "jfxx thumbnail": [segment(0xE0, b"JFXX\0\x10" + jpeg() + SECRET)],
        "profile with a secret name": [segment(0xE2, b"ICC_PROFILE\0\1\1" + profile() + SECRET)],
        "profile and exif": [full, segment(0xE2, b"ICC_PROFILE\0\1\1" + profile())],
        "multi-picture index": [segment(0xE2, b"MPF\0II*\0" + SECRET)],
        "flashpix": [segment(0xE2, b"FPXR\0" + SECRET)],
        "adobe": [segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + SECRET)],
        "ducky": [segment(0xEC, b"Ducky" + SECRET)],
        "content credentials": [segment(0xEB, b"JP\0\1\0\0\0\1" + SECRET)],
        **{f"application segment {n}": [segment(0xE0 + n, b"Maker\0" + SECRET)] for n in range(3, 16)},
        **{f"extension segment {n}": [segment(0xF0 + n, SECRET)] for n in (0, 7, 13)},
    }
    return [
        *(cleaned(f"jpeg: {name}", jpeg_with(*segments)) for name, segments in parts.items()),
        cleaned("jpeg: exif, progressive", jpeg_with(full, base=jpeg(progressive=True))),
        cleaned("jpeg: fill bytes between segments", jpeg_with(b"\xff\xff\xff", full, b"\xff\xff")),
    ]


def _trailers() -> list[Case]:
    inner = jpeg_with(exif_segment(exif(secret=SECRET)))
    trailers = {
        "Samsung's": SECRET + b"SEFH\x6a\0\0\0\1\0\0\0SEFT",
        "a motion photo's film": b"\0\0\0\x18ftypmp42" + SECRET * 40,
        "a second picture": inner,
        "zeros and a note": bytes(5000) + SECRET,
        "a lone line end": b"\r\n",
    }
    return [cleaned(f"jpeg: behind it {name}", jpeg() + trailer) for name, trailer in trailers.items()]


def _pngs() -> list[Case]:
    packed = zlib.compress(SECRET * 10)
    parts: dict[str, list[bytes]] = {
        "text": [chunk(b"tEXt", b"Author\0" + SECRET)],
        "packed text": [chunk(b"zTXt", b"Comment\0\0" + packed)],
        "international text": [chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(SECRET))],
        "packed international text": [chunk(b"iTXt", b"Note\0\1\0\0\0" + packed)],
        "exif": [chunk(b"eXIf", exif(secret=SECRET))],
        "raw exif profile": [chunk(b"zTXt", b"Raw profile type exif\0\0" + packed)],
        "time": [chunk(b"tIME", struct.pack(">HBBBBB", 2020, 1, 2, 3, 4, 5))],
        "resolution": [chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1))],
        "profile with a secret name": [chunk(b"iCCP", SECRET + b"\0\0" + zlib.compress(profile()))],
        "suggested palette": [chunk(b"sPLT", SECRET + b"\0\x08")],
        "private chunk": [chunk(b"prIv", SECRET)],
        "later frames": [chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", bytes(26)), chunk(b"fdAT", b"\0\0\0\1" + SECRET)],
        "everything": [chunk(b"tEXt", b"a\0" + SECRET), chunk(b"eXIf", exif(secret=SECRET)), chunk(b"iTXt", b"b\0\0\0\0\0" + SECRET)],
    }  # fmt: skip
    return [
        *(cleaned(f"png: {name}", png_with(*chunks)) for name, chunks in parts.items()),
        cleaned("png: a note behind it", png_with(trailer=SECRET)),
    ]


def _gifs() -> list[Case]:
    return [
        cleaned("gif: comment", gif_with(gif_extension(0xFE, SECRET))),
        cleaned("gif: xmp", gif_with(gif_extension(0xFF, b"XMP DataXMP")[:-1] + gif_blocks(xmp(SECRET)))),
        cleaned("gif: profile", gif_with(gif_extension(0xFF, b"ICCRGBG1012")[:-1] + gif_blocks(SECRET))),
        cleaned("gif: plain text", gif_with(gif_extension(0x01, bytes(12))[:-1] + gif_blocks(SECRET))),
        cleaned("gif: a note behind it", gif_with(trailer=b"\0\0" + SECRET)),
    ]
