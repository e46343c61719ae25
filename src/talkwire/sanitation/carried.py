"""Beginnings of documents, archives and programs, and the search for them in what we encoded ourselves. Pure.

Whoever chooses the pixels chooses some of the encoded bytes: pixels that cannot be compressed are stored as they are,
after a filter that can be computed backwards.
"""

import re

AS_THEY_ARE = (
    b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"%PDF-", b"\x7fELF",
)  # fmt: skip
TAGS = (
    b"<?php", b"<?xml", b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<iframe", b"<svg",
)  # fmt: skip
"""In capitals, too. Four bytes at least: in 3 MB of chance bytes there is one of all these in nine files of a
thousand, and in each of three encodings of one picture in less than one of a million.
"""
SCHEME = b"javascript:"

_TAG = re.compile(b"<(?i:" + b"|".join(re.escape(tag[1:]) for tag in TAGS) + b")")
_SCHEME = re.compile(rb":(?<=(?i:javascript:))")
"""Both begin with what is no letter: that is ten times faster than to ignore case from the first byte on."""


def find_carried(encoded: bytes) -> bytes | None:
    """Something foreign that stands anywhere in an encoded picture; None when there is nothing."""
    for known_by in AS_THEY_ARE:
        if known_by in encoded:
            return known_by
    if (tag := _TAG.search(encoded)) is not None:
        return tag.group()
    return SCHEME if _SCHEME.search(encoded) else None
