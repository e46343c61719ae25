"""Encrypting files as they stream, and opening any part of them: Tink's AES256-GCM-HKDF streaming format.

A sealed file is a header and segments of `SEGMENT_BYTES`, the header counting into the first:

    header  = 1 byte: length of the header (40) ‖ salt (32) ‖ nonce prefix (7)
    segment = AES-256-GCM(derived key, nonce, plain part) ‖ tag (16)
    derived key = HKDF-SHA256(file key, salt, info = aad, 32 bytes)
    nonce   = prefix (7) ‖ segment number (4, big endian) ‖ 1 for the last segment, else 0 (1)

So a segment that was altered, moved, left out or put in from elsewhere does not open, nor does a file that
was cut or lengthened. No I/O here: fit for any thread. Source: Tink, "Streaming AEAD", AES-GCM-HKDF.
"""

import os
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from talkwire.kernel.hmacs import hmac_digest_once
from talkwire.vault.errors import Tampered

KEY_BYTES = 32
SALT_BYTES = 32
PREFIX_BYTES = 7
HEADER_BYTES = 1 + SALT_BYTES + PREFIX_BYTES
TAG_BYTES = 16
SEGMENT_BYTES = 64 * 1024
"""With its tag. An upload holds one; larger ones seal no faster, smaller ones do (docs/decisions/0014)."""

FIRST_PLAIN_BYTES = SEGMENT_BYTES - HEADER_BYTES - TAG_BYTES
PLAIN_BYTES = SEGMENT_BYTES - TAG_BYTES
MOST_SEGMENTS = 2**32

Piece = bytes | bytearray | memoryview


class Span(NamedTuple):
    """Which sealed bytes hold a range of plain ones."""

    first_segment: int
    sealed_start: int  # of the first segment, in the sealed file
    sealed_end: int  # after the last segment
    skip: int  # plain bytes of the first segment before the range
    length: int  # plain bytes in the range


def segment_count(plain_bytes: int) -> int:
    """How many segments a file of this size has; an empty one has one."""
    beyond_first = max(plain_bytes - FIRST_PLAIN_BYTES, 0)
    return 1 + -(-beyond_first // PLAIN_BYTES)


def sealed_size(plain_bytes: int) -> int:
    """How long the sealed file is."""
    return HEADER_BYTES + plain_bytes + TAG_BYTES * segment_count(plain_bytes)


def plain_size(sealed_bytes: int) -> int:
    """How long the file inside is. Raises Tampered when no file seals to this length."""
    segments = max(-(-sealed_bytes // SEGMENT_BYTES), 1)
    plain_bytes = sealed_bytes - HEADER_BYTES - TAG_BYTES * segments
    if plain_bytes < 0 or sealed_size(plain_bytes) != sealed_bytes:
        raise Tampered("A sealed file has a length that none can have.")
    return plain_bytes


def segments_for(start: int, length: int, plain_bytes: int) -> Span:
    """Where `length` plain bytes from `start` lie, in whole segments, in a file of `plain_bytes`.

    Cuts the range at the file's end. `start` beyond it, or a length of 0, gives the last segment, length 0.
    """
    start = min(start, plain_bytes)
    end = min(start + max(length, 0), plain_bytes)
    first = _segment_of(min(start, max(plain_bytes - 1, 0)))
    last = _segment_of(max(end - 1, 0)) if end > start else first
    return Span(
        first_segment=first,
        sealed_start=first * SEGMENT_BYTES or HEADER_BYTES,
        sealed_end=min((last + 1) * SEGMENT_BYTES, sealed_size(plain_bytes)),
        skip=start - _plain_start(first),
        length=end - start,
    )


class Sealer:
    """Seals one file, piece by piece. `aad` names what the file is; opening it takes the same."""

    def __init__(self, key: bytes, aad: bytes, *, salt: bytes = b"", prefix: bytes = b"") -> None:
        # Salt and prefix are given by test vectors only: used twice, they give files away.
        salt = salt or os.urandom(SALT_BYTES)
        prefix = prefix or os.urandom(PREFIX_BYTES)
        self._cipher = _cipher(key, aad, salt)
        self._prefix = prefix
        self._header = bytes((HEADER_BYTES,)) + salt + prefix
        self._number = 0
        self._room = FIRST_PLAIN_BYTES
        self._held = bytearray()

    def push(self, piece: Piece) -> list[bytes]:
        """Take more of the file; gives what can be written already, in order.

        A whole segment is held back until more comes, since the last one is marked as such.
        """
        missing = self._room - len(self._held)
        if len(piece) <= missing:
            self._held += piece
            return []
        view = memoryview(piece)
        sealed: list[bytes] = [self._header] if self._number == 0 else []
        at = 0
        if self._held:
            self._held += view[:missing]
            sealed.append(self._seal(self._held, last=False))
            self._held = bytearray()
            at = missing
        while len(view) - at > self._room:
            part = view[at : at + self._room]
            at += self._room
            sealed.append(self._seal(part, last=False))
        self._held += view[at:]
        return sealed

    def finish(self) -> list[bytes]:
        """The rest of the sealed file. Nothing may be pushed afterwards."""
        sealed: list[bytes] = [self._header] if self._number == 0 else []
        sealed.append(self._seal(self._held, last=True))
        self._held = bytearray()
        self._room = -1
        return sealed

    def _seal(self, plain: Piece, *, last: bool) -> bytes:
        if self._room < 0 or self._number >= MOST_SEGMENTS:
            raise ValueError("The file is finished, or longer than its format can number.")
        sealed = self._cipher.encrypt(_nonce(self._prefix, self._number, last=last), plain, None)
        self._number += 1
        self._room = PLAIN_BYTES
        return sealed


class Opener:
    """Opens one sealed file, any segment in any order. Made from its header and its length on disk."""

    def __init__(self, key: bytes, aad: bytes, header: Piece, sealed_bytes: int) -> None:
        self.plain_bytes = plain_size(sealed_bytes)
        if len(header) != HEADER_BYTES or header[0] != HEADER_BYTES:
            raise Tampered("A sealed file's header is not one.")
        self._cipher = _cipher(key, aad, bytes(header[1 : 1 + SALT_BYTES]))
        self._prefix = bytes(header[1 + SALT_BYTES :])
        self._last = segment_count(self.plain_bytes) - 1

    def open_segment(self, number: int, sealed: Piece) -> bytes:
        """The plain bytes of one whole segment. Raises Tampered."""
        nonce = _nonce(self._prefix, number, last=number == self._last)
        try:
            return self._cipher.decrypt(nonce, sealed, None)
        except InvalidTag as error:
            raise Tampered(f"Segment {number} of a sealed file does not open.") from error

    def range(self, start: int, length: int) -> "OpeningRange":
        """Opens a range as its sealed bytes come; the object's `span` says which to read."""
        return OpeningRange(self, segments_for(start, length, self.plain_bytes))


class OpeningRange:
    """Takes the sealed bytes of a span in pieces of any size, gives the plain bytes of the range."""

    def __init__(self, opener: Opener, span: Span) -> None:
        self.span = span
        self._opener = opener
        self._number = span.first_segment
        self._skip = span.skip
        self._left = span.length
        self._sealed_left = span.sealed_end - span.sealed_start
        self._held = bytearray()

    def push(self, piece: Piece) -> list[bytes]:
        """Plain bytes that these sealed ones complete; every one was verified. Raises Tampered."""
        if len(piece) > self._sealed_left - len(self._held):
            raise Tampered("A sealed file goes on after its end.")
        view, at, plain = memoryview(piece), 0, []
        while (missing := self._segment_bytes() - len(self._held)) <= len(view) - at and self._sealed_left:
            part: Piece = view[at : at + missing]
            at += missing
            if self._held:
                self._held += part
                part = self._held
            plain.append(self._open(part))
            self._held = bytearray()
        self._held += view[at:]
        return [part for part in plain if part]

    def finish(self) -> None:
        """Say that no more comes. Raises Tampered when something is missing."""
        if self._sealed_left:
            raise Tampered("A sealed file ends too soon.")

    def _segment_bytes(self) -> int:
        whole = SEGMENT_BYTES if self._number else SEGMENT_BYTES - HEADER_BYTES
        return min(whole, self._sealed_left)

    def _open(self, sealed: Piece) -> bytes:
        plain = self._opener.open_segment(self._number, sealed)
        self._number += 1
        self._sealed_left -= len(sealed)
        if self._skip or len(plain) > self._left:
            plain = plain[self._skip : self._skip + self._left]
            self._skip = 0
        self._left -= len(plain)
        return plain


def seal_whole(key: bytes, aad: bytes, plain: Piece) -> bytes:
    """A small file (a preview, a picture) sealed at once."""
    sealer = Sealer(key, aad)
    return b"".join([*sealer.push(plain), *sealer.finish()])


def open_whole(key: bytes, aad: bytes, sealed: Piece) -> bytes:
    """What `seal_whole` or a `Sealer` was given. Raises Tampered."""
    view = memoryview(sealed)
    opener = Opener(key, aad, view[:HEADER_BYTES], len(view))
    reading = opener.range(0, opener.plain_bytes)
    plain = reading.push(view[HEADER_BYTES:])
    reading.finish()
    return b"".join(plain)


def _cipher(key: bytes, aad: bytes, salt: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError("A file key has 32 bytes.")
    extracted = hmac_digest_once(salt, key, "sha256")  # HKDF of one block. Source: RFC 5869, section 2
    return AESGCM(hmac_digest_once(extracted, aad + b"\x01", "sha256"))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


def _segment_of(plain_at: int) -> int:
    return 0 if plain_at < FIRST_PLAIN_BYTES else 1 + (plain_at - FIRST_PLAIN_BYTES) // PLAIN_BYTES


def _plain_start(segment: int) -> int:
    return 0 if segment == 0 else FIRST_PLAIN_BYTES + (segment - 1) * PLAIN_BYTES
