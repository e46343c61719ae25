"""Keys under keys and small values under keys: AES-256-GCM, bound to what they belong to.

    wrapped = version 1 (1 byte) ‖ nonce (12, random) ‖ AES-256-GCM(key above, nonce, plain, aad) ‖ tag (16)
    aad     = each part of the name as its length (4 bytes, big endian) and its UTF-8

The name says what a wrap is and whose, so that rows that trade places do not open.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from talkwire.vault.errors import Tampered

KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = b"\x01"
WRAPPED_KEY_BYTES = len(VERSION) + NONCE_BYTES + KEY_BYTES + 16

Name = tuple[str, ...]


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def new_id() -> str:
    """16 hex digits: the id of an account's or a holder's key."""
    return os.urandom(8).hex()


def wrap(above: bytes, name: Name, plain: bytes) -> bytes:
    """Encrypt `plain` under the key `above`; `name` is needed to open it."""
    nonce = os.urandom(NONCE_BYTES)
    return VERSION + nonce + AESGCM(above).encrypt(nonce, plain, _aad(name))


def unwrap(above: bytes, name: Name, wrapped: bytes) -> bytes:
    """What `wrap` was given. Raises Tampered."""
    if wrapped[:1] != VERSION or len(wrapped) < len(VERSION) + NONCE_BYTES:
        raise Tampered("A wrapped key or sealed value is not one.")
    nonce = wrapped[1 : 1 + NONCE_BYTES]
    try:
        return AESGCM(above).decrypt(nonce, wrapped[1 + NONCE_BYTES :], _aad(name))
    except InvalidTag as error:
        raise Tampered(f"A wrapped key or sealed value does not open: {name[0]}.") from error


def fingerprint(secret: bytes) -> str:
    """16 hex digits that tell a master key from others and nothing about it."""
    derived = HKDF(algorithm=SHA256(), length=8, salt=None, info=b"talkwire master key id").derive(secret)
    return derived.hex()


def _aad(name: Name) -> bytes:
    parts = [part.encode() for part in name]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
