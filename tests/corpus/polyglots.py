"""Files that are a picture and something else at once."""

import io
import struct
import zipfile
import zlib

from corpus.case import SECRET, Case, cleaned, either, refused
from corpus.painted import carrying
from corpus.parts import (
    chunk,
    gif,
    gif_blocks,
    gif_extension,
    gif_with,
    jpeg,
    jpeg_with,
    png,
    png_header,
    png_with,
    segment,
)
from talkwire.sanitation.model import Reason


def archive() -> bytes:
    """A ZIP; a JAR when Java asks."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("META-INF/MANIFEST.MF", "Main-Class: Evil\n" + SECRET.decode())
    return file.getvalue()


PHP = b"<?php system($_GET['c']); /*" + SECRET + b"*/ ?>"
HTML = b"<html><body><script>alert('" + SECRET + b"')</script></body></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>" + SECRET + b"</svg>"
PDF = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(" + SECRET + b")>>>>endobj\n%%EOF"
JS = b"*/=1;alert('" + SECRET + b"');/*"


def polyglots() -> list[Case]:
    return [*_one_behind_the_other(), *_one_before_the_other(), *_one_inside_the_other(), *_painted()]


def _painted() -> list[Case]:
    """What our own encoder would write out, if it were not looked for."""
    payloads = {"zip": archive()[:150], "html": HTML, "php": PHP, "svg": SVG, "pdf": PDF}
    return [
        either(f"png that is painted so that it becomes {name}", carrying(data, "up"), Reason.POLYGLOT)
        for name, data in payloads.items()
    ]


def _one_behind_the_other() -> list[Case]:
    second = {
        "zip": archive(), "zip behind padding": bytes(2000) + archive(), "html": HTML, "html behind lines": b"\r\n\r\n" + HTML,
        "php": PHP, "short php": b"<?=`$_GET[0]`?>", "svg": SVG, "pdf": PDF, "script": b"<SCRIPT>alert(1)</SCRIPT>",
        "elf": b"\x7fELF" + SECRET, "exe": b"MZ\x90\0" + SECRET, "rar": b"Rar!\x1a\x07\0" + SECRET, "7z": b"7z\xbc\xaf\x27\x1c" + SECRET,
        "shell": b"#!/bin/sh\n" + SECRET, "xml": b"<?xml version='1.0'?>" + SECRET,
        "words, then zip": b"nothing to see here" * 10 + archive(), "pdf with a zip": PDF + archive(),
    }  # fmt: skip
    return [
        refused(f"{kind}, then {name}", whole + data, Reason.POLYGLOT)
        for name, data in second.items()
        for kind, whole in (("jpeg", jpeg()), ("png", png()), ("gif", gif()))
    ]


def _one_before_the_other() -> list[Case]:
    before = {"pdf": PDF, "html": HTML, "svg": SVG, "zip": archive(), "php": PHP, "bmp": b"BM" + bytes(60)}
    return [
        *(
            refused(f"{name}, then {kind}", data + whole, Reason.NOT_AN_IMAGE)
            for name, data in before.items()
            for kind, whole in (("jpeg", jpeg()), ("png", png()), ("gif", gif()))
        ),
        refused("svg called png", SVG, Reason.NOT_AN_IMAGE),
        refused("pdf with a zip", PDF + archive(), Reason.NOT_AN_IMAGE),
        cleaned("a gif that is a script", b"GIF89a/*" + gif()[8:] + JS),
        refused("a gif that is a script from its size on", b"GIF89a=1;alert(1)//", Reason.TOO_BIG),
    ]


def _one_inside_the_other() -> list[Case]:
    """Nothing stands behind the picture; what stands in it goes."""
    payloads = {"php": PHP, "html": HTML, "svg": SVG, "pdf": PDF, "script": JS, "zip": archive()}
    inside: list[Case] = []
    for name, payload in payloads.items():
        inside += [
            cleaned(f"{name} in a jpeg's comment", jpeg_with(segment(0xFE, payload))),
            cleaned(f"{name} in a jpeg's APP15", jpeg_with(segment(0xEF, payload))),
            cleaned(f"{name} in a png's text", png_with(chunk(b"tEXt", b"Comment\0" + payload))),
            cleaned(f"{name} in a png's private chunk", png_with(chunk(b"evIl", payload))),
            cleaned(f"{name} in a gif's comment", gif_with(gif_extension(0xFE, payload))),
            cleaned(f"{name} in a gif's application", gif_with(gif_extension(0xFF, b"NETSCAPE2.0") [:-1] + gif_blocks(payload))),
        ]  # fmt: skip
    return [*inside, *_in_the_decoders_parts()]


def _in_the_decoders_parts() -> list[Case]:
    """In what a decoder reads: tables, palettes, pixel data."""
    rows = b"".join(b"\0" + PHP.ljust(192, b"#")[:192] for _ in range(8))
    palette = (PHP * 20)[: 3 * 200]
    between = png()[:-12] + chunk(b"tEXt", b"a\0" + PHP) + png()[-12:]
    body = png()
    at = body.index(b"IDAT") - 4
    (length,) = struct.unpack(">I", body[at : at + 4])
    longer = body[at + 8 : at + 8 + length] + PHP
    return [
        cleaned("code in a table nobody uses", jpeg_with(segment(0xDB, b"\3" + PHP.ljust(64, b"#")[:64]))),
        cleaned("code in a suggested palette", png_with(chunk(b"PLTE", palette))),
        cleaned("code in stored pixels", png_header(64, 8) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")),
        cleaned("code behind the packed pixels", body[:at] + chunk(b"IDAT", longer) + body[at + 12 + length :]),
        cleaned("code between pixels and end", between),
        cleaned("a script that begins in APP0's length", jpeg_with(b"\xff\xe0\x2f\x2a" + JS.ljust(0x2F28, b" "))),
        cleaned("a picture's own start behind it", jpeg(progressive=True) + b"\xff\xd8\xff\xe1" + SECRET),
    ]  # fmt: skip
