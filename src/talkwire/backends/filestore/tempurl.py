"""OpenStack Swift's temporary URLs: how they are signed, and how a signature is checked. Pure.

Source: docs/protocol.md 9.4; OpenStack Swift, middleware `tempurl`; RFC 2104 (HMAC).
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from talkwire.kernel.hmacs import hmac_digest

SIGNED_BY = {
    "GET": ("GET",),
    "PUT": ("PUT",),
    "HEAD": ("HEAD", "GET", "PUT"),
}
"""Whose signatures open which method. Any other method is never signed."""

_DIGESTS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
_DIGEST_OF_LENGTH = {40: "sha1", 64: "sha256", 128: "sha512"}
_HEX = re.compile(r"[0-9a-f]+", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,12}", re.ASCII)
_DATE_FORMS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")


def sign(method: str, path: str, expires: int, key: bytes) -> str:
    """The signature clients copy blindly: HMAC-SHA1 as 40 hex digits.

    `path` from `/v1/` on, not URL-encoded, without query; `expires` in unix seconds.
    """
    return hmac_digest(key, _signed_text(method, path, expires), "sha1").hex()


def is_signed(method: str, path: str, expires: int, signature: str, keys: Sequence[bytes]) -> bool:
    """Tell whether `signature` opens `method` on `path`, by any of `keys`. Takes no view of the time.

    Accepts hex of SHA-1, SHA-256 and SHA-512, and `sha256:base64`, as Swift does. Every candidate is
    compared in constant time, and all are compared.
    """
    read = _read_signature(signature)
    if read is None:
        return False
    algorithm, digest = read
    opened = False
    for signer in SIGNED_BY.get(method, ()):
        text = _signed_text(signer, path, expires)
        for key in keys:
            opened |= hmac.compare_digest(hmac_digest(key, text, algorithm), digest)
    return opened


def read_expires(value: str) -> int | None:
    """Unix seconds of `temp_url_expires`, given as a number or as an ISO date; None if it is neither."""
    if _DECIMAL.fullmatch(value):
        return int(value)
    for form in _DATE_FORMS:
        try:
            return int(datetime.strptime(value, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    return None


def _signed_text(method: str, path: str, expires: int) -> bytes:
    # A lone surrogate (an undecodable byte of the request line) must not raise: it just never matches.
    return f"{method}\n{expires}\n{path}".encode("utf-8", "surrogateescape")


def _read_signature(signature: str) -> tuple[str, bytes] | None:
    """Algorithm and digest; None when it is no signature at all."""
    algorithm, colon, encoded = signature.partition(":")
    if colon:
        return _read_base64(algorithm, encoded)
    found = _DIGEST_OF_LENGTH.get(len(signature))
    if found is None or not _HEX.fullmatch(signature):
        return None
    return found, bytes.fromhex(signature)


def _read_base64(algorithm: str, encoded: str) -> tuple[str, bytes] | None:
    if algorithm not in _DIGESTS:
        return None
    standard = encoded.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return algorithm, base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
