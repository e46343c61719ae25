"""Files that are called pictures and are none, or whose inside is not what their first bytes say."""

import struct
import zlib

import pyvips

from corpus.case import Case, refused
from corpus.parts import (
    PNG_SIGNATURE,
    chunk,
    gif,
    jpeg,
    jpeg_with,
    png,
    png_header,
    png_with,
    quarters,
    segment,
)
from talkwire.sanitation.model import Reason

_ANY = (Reason.NOT_AN_IMAGE, Reason.MALFORMED, Reason.TRUNCATED, Reason.CORRUPT, Reason.TOO_BIG)

_MAGIC: dict[str, bytes] = {
    "zip": b"PK\x03\x04\x14\0\0\0", "empty zip": b"PK\x05\x06" + bytes(18), "rar": b"Rar!\x1a\x07\x01\0",
    "7z": b"7z\xbc\xaf\x27\x1c\0\x04", "gzip": b"\x1f\x8b\x08\0\0\0\0\0", "bzip2": b"BZh91AY&SY", "xz": b"\xfd7zXZ\0",
    "zstd": b"\x28\xb5\x2f\xfd", "tar": b"file".ljust(257, b"\0") + b"ustar\x0000", "cab": b"MSCF\0\0\0\0",
    "pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n", "postscript": b"%!PS-Adobe-3.0\n", "rtf": b"{\\rtf1\\ansi }",
    "ole": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "xml": b"<?xml version='1.0'?><a/>",
    "php": b"<?php system($_GET[0]); ?>", "shell": b"#!/bin/sh\nid\n", "python": b"#!/usr/bin/env python3\nprint()\n",
    "javascript": b"alert(document.cookie)//", "json": b'{"a":1}', "eml": b"From: a\r\nTo: b\r\n\r\nhi", "css": b"a{}",
    "exe": b"MZ\x90\0\x03\0\0\0", "elf": b"\x7fELF\x02\x01\x01\0", "mach-o": b"\xcf\xfa\xed\xfe\x07\0\0\x01",
    "java class": b"\xca\xfe\xba\xbe\0\0\0\x34", "wasm": b"\0asm\x01\0\0\0", "dex": b"dex\n035\0", "lnk": b"L\0\0\0\x01\x14\x02\0",
    "mp4": b"\0\0\0\x18ftypmp42", "mov": b"\0\0\0\x14ftypqt  ", "avi": b"RIFF\0\0\0\0AVI LIST", "mkv": b"\x1aE\xdf\xa3",
    "mp3": b"ID3\x04\0\0\0\0\0\0", "wav": b"RIFF\0\0\0\0WAVEfmt ", "flac": b"fLaC\0\0\0\x22", "ogg": b"OggS\0\x02", "midi": b"MThd\0\0\0\6",
    "bmp": b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0", "ico": b"\0\0\1\0\1\0\x10\x10", "cur": b"\0\0\2\0\1\0\x10\x10", "psd": b"8BPS\0\1",
    "avif": b"\0\0\0\x1cftypavif", "heic": b"\0\0\0\x18ftypheic", "jp2": b"\0\0\0\x0cjP  \r\n\x87\n", "jxl": b"\xff\x0a\0\0",
    "jxl box": b"\0\0\0\x0cJXL \r\n\x87\n", "exr": b"v/1\x01\2\0\0\0", "dds": b"DDS |\0\0\0", "xcf": b"gimp xcf v011\0", "fits": b"SIMPLE  =",
    "ttf": b"\0\1\0\0\0\x0c\0\x80", "woff": b"wOFF\0\1\0\0", "sqlite": b"SQLite format 3\0", "mng": b"\x8aMNG\r\n\x1a\n", "jng": b"\x8bJNG\r\n\x1a\n",
    "text": b"hello", "utf-16": "hello".encode("utf-16"), "zeros": bytes(64), "ones": b"\xff" * 64, "newline": b"\n",
}  # fmt: skip


def mismatches() -> list[Case]:
    return [*_foreign(), *_disguised(), *_encoded_otherwise(), *_shifted(), *_broken_inside()]


def _foreign() -> list[Case]:
    empty = refused("empty", b"", Reason.NOT_AN_IMAGE)
    return [
        empty,
        *(refused(name, magic + bytes(400), Reason.NOT_AN_IMAGE) for name, magic in _MAGIC.items()),
    ]


def _disguised() -> list[Case]:
    """The first bytes of a picture before something else: what a look at the magic number lets through."""
    starts = {
        "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0",
        "png": PNG_SIGNATURE,
        "gif": b"GIF89a",
    }
    return [
        refused(f"{name} as {kind}", start + magic + bytes(400), *_ANY)
        for name, magic in _MAGIC.items()
        for kind, start in starts.items()
    ]


def _encoded_otherwise() -> list[Case]:
    whole = quarters()
    return [
        refused(f"a whole {name}", encoded, Reason.NOT_AN_IMAGE)
        for name, encoded in (
            ("webp", whole.webpsave_buffer()),
            ("tiff", whole.tiffsave_buffer()),
            ("ppm", b"P6 96 64 255\n" + bytes(whole.write_to_memory())),
            ("raw", bytes(whole.write_to_memory())),
            ("tiff of one bit", pyvips.Image.black(8, 8).tiffsave_buffer(bitdepth=1)),
        )
    ]


def _shifted() -> list[Case]:
    before = (
        b" ",
        b"\n",
        b"\xef\xbb\xbf",
        b"\0",
        b"//",
        b"<html>",
        b"%PDF-1.4\n",
        b"PK\x03\x04",
        b"<svg>",
        b"GIF",
    )
    return [
        refused(f"{start!r} before {kind}", start + whole, Reason.NOT_AN_IMAGE)
        for start in before
        for kind, whole in (("jpeg", jpeg()), ("png", png()), ("gif", gif()))
    ]


def _broken_inside() -> list[Case]:
    bad, pixels = Reason.MALFORMED, zlib.compress(bytes(64 * 200))
    end = chunk(b"IEND", b"")
    frame = struct.pack(">BHHB", 8, 8, 8, 1) + b"\1\x11\0"
    scan = segment(0xDA, b"\1\1\0\0\x3f\0") + bytes(10)
    return [
        refused("a jpeg's scan in a png", png_header(8, 8) + chunk(b"IDAT", jpeg()) + end, Reason.CORRUPT, Reason.TRUNCATED),
        refused("a png in a jpeg", b"\xff\xd8" + png() + b"\xff\xd9", bad),
        refused("a gif in a jpeg's scan", b"\xff\xd8" + segment(0xC0, frame) + segment(0xDA, b"\1\1\0\0\x3f\0") + gif() + b"\xff\xd9",
                Reason.CORRUPT, Reason.TRUNCATED, bad),
        *(refused(f"coding {marker:02x}", b"\xff\xd8" + segment(marker, frame) + scan + b"\xff\xd9", bad)
          for marker in (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)),
        refused("12 bits", b"\xff\xd8" + segment(0xC1, b"\x0c" + frame[1:]) + scan + b"\xff\xd9", bad),
        refused("two components", b"\xff\xd8" + segment(0xC0, frame[:5] + b"\2" + b"\1\x11\0\2\x11\0") + scan + b"\xff\xd9", bad),
        refused("no components", b"\xff\xd8" + segment(0xC0, frame[:5] + b"\0") + scan + b"\xff\xd9", bad),
        refused("two frames", jpeg_with(segment(0xC0, frame)), bad),
        refused("no frame", b"\xff\xd8" + scan + b"\xff\xd9", bad),
        refused("no scan", b"\xff\xd8" + segment(0xC0, frame) + b"\xff\xd9", bad),
        refused("height 0", b"\xff\xd8" + segment(0xC0, b"\x08\0\0\0\x08" + frame[5:]) + scan + b"\xff\xd9", bad),
        refused("a second start", jpeg_with(b"\xff\xd8"), bad),
        refused("a restart in the header", jpeg_with(b"\xff\xd0"), bad),
        refused("a segment of 1 byte", jpeg_with(b"\xff\xfe\0\1"), bad),
        refused("only a start and an end", b"\xff\xd8\xff\xd9", bad),
        refused("the header second", PNG_SIGNATURE + chunk(b"tEXt", b"a\0b") + png()[8:], bad),
        refused("two headers", png_with(png()[8:33]), bad),
        refused("no pixels", png_header(8, 8) + end, bad),
        refused("pixels in two places", png_header(8, 8) + chunk(b"IDAT", pixels) + chunk(b"tIME", bytes(7)) + chunk(b"IDAT", b"") + end, bad),
        refused("a critical chunk nobody knows", png_with(chunk(b"EVIL", b"")), bad),
        refused("a chunk that is no word", png_with(chunk(b"\0\1\2\3", b"")), bad),
        refused("a wrong check sum", png()[:-16] + b"\0\0\0\0" + png()[-12:], Reason.CORRUPT),
        refused("a wrong check sum of the header", png()[:29] + b"\0\0\0\0" + png()[33:], Reason.CORRUPT),
        *(refused(f"colour type {colours} of {depth} bits", png_header(8, 8, depth, colours) + chunk(b"IDAT", pixels) + end, bad)
          for colours, depth in ((1, 8), (5, 8), (7, 8), (2, 4), (3, 16), (4, 4), (6, 2), (0, 3), (0, 0), (0, 32))),
        refused("a palette that is missing", png_header(8, 8, 8, 3) + chunk(b"IDAT", pixels) + end, Reason.CORRUPT, Reason.TRUNCATED),
        refused("pixels that are not packed", png_header(8, 8) + chunk(b"IDAT", bytes(200)) + end, Reason.CORRUPT, Reason.TRUNCATED),
        refused("pixels of another size", png_header(80, 80) + chunk(b"IDAT", zlib.compress(bytes(10))) + end, Reason.CORRUPT, Reason.TRUNCATED),
        refused("a gif without a frame", b"GIF89a\x08\0\x08\0\0\0\0;", bad),
        refused("a gif of 0 by 0", b"GIF89a\0\0\0\0\0\0\0;", bad),
        refused("a gif of another year", b"GIF90a" + gif()[6:], Reason.NOT_AN_IMAGE),
        refused("a block that is none", gif()[:-1] + b"\x99;", bad),
        refused("a gif's frame of 0 by 0", b"GIF89a\x08\0\x08\0\0\0\0" + b"\x2c" + bytes(9) + b"\2\0;", bad),
    ]  # fmt: skip
