"""Receipts of erasures: signed JSON that anybody can check without us.

A receipt is one line of canonical JSON (members sorted, no white space, UTF-8) of two members: `receipt`,
what was erased, and `signature`, `{"algorithm":"Ed25519","keyId","publicKey","value"}` with the last two in
lower-case hex. Signed are the canonical bytes of `receipt`. The public key in it shows that nothing was changed;
whose key it is shows the list that the server publishes (`published_keys`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = "Ed25519"
FORMAT = "talkwire-erasure-receipt/1"

_SIGNATURE = {"algorithm", "keyId", "publicKey", "value"}

_encode = msgspec.json.Encoder(order="sorted").encode


class ReceiptBroken(Exception):
    """The file is not what was signed; the message says where it fails."""


class Verified(NamedTuple):
    """A receipt whose signature holds. `is_known_key`: made with one of the keys that were given."""

    receipt: dict[str, Any]
    key_id: str
    public_key: str
    is_known_key: bool


def canonical(value: Mapping[str, Any]) -> bytes:
    return _encode(value)


def public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def signed(receipt: Mapping[str, Any], key: Ed25519PrivateKey, key_id: str) -> str:
    """The document, as it is stored and handed out."""
    signature = {
        "algorithm": ALGORITHM,
        "keyId": key_id,
        "publicKey": public_hex(key),
        "value": key.sign(canonical(receipt)).hex(),
    }
    return canonical({"receipt": receipt, "signature": signature}).decode()


def verify(document: bytes, known_keys: Sequence[str] = ()) -> Verified:
    """Check a receipt, byte for byte. `known_keys`: public keys in hex that are trusted. Raises ReceiptBroken."""
    body = document.removesuffix(b"\n")
    try:
        decoded = msgspec.json.decode(body)
        receipt, signature = decoded["receipt"], decoded["signature"]
        if (
            set(decoded) != {"receipt", "signature"}
            or set(signature) != _SIGNATURE
            or (signature["algorithm"], receipt["format"]) != (ALGORITHM, FORMAT)
        ):
            raise ReceiptBroken("it is no receipt of this kind")
        public_key, value = _bytes_of(signature["publicKey"]), _bytes_of(signature["value"])
        key_id = str(signature["keyId"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ReceiptBroken("it cannot be read as a receipt") from error
    if canonical(decoded) != body:
        raise ReceiptBroken("it was changed: it is not written as it was signed")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(value, canonical(receipt))
    except (InvalidSignature, ValueError) as error:
        raise ReceiptBroken("the signature does not fit what it says") from error
    if key_id != key_id_of(public_key.hex()):
        raise ReceiptBroken("the key's name does not fit the key")
    return Verified(receipt, key_id, public_key.hex(), public_key.hex() in known_keys)


def key_id_of(public_key: str) -> str:
    """A key's name is the beginning of the key."""
    return public_key[:16]


def published_keys(public_keys: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """The list that a server publishes: public keys in hex with when they were made (epoch ms), newest first."""
    return {
        "keys": [
            {"algorithm": ALGORITHM, "keyId": key_id_of(key), "publicKey": key, "createdAt": created_at_ms}
            for key, created_at_ms in public_keys
        ]
    }


def keys_in(published: bytes) -> list[str]:
    """The public keys of such a list, or of a file that holds one key in hex. Raises ReceiptBroken."""
    text = published.strip()
    try:
        if text.startswith(b"{"):
            return [str(one["publicKey"]) for one in msgspec.json.decode(text)["keys"]]
        return [_bytes_of(text.decode("ascii")).hex()]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ReceiptBroken("the file of keys cannot be read") from error


def _bytes_of(text: str) -> bytes:
    """Hex in its one spelling: capitals would be a byte that was changed unseen."""
    value = bytes.fromhex(text)
    if value.hex() != text:
        raise ValueError("not lower-case hex")
    return value
