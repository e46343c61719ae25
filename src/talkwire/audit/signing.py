"""Whose export it is: a signature over every byte of the file, by a key that only the account's keys give.

The key is Ed25519; its secret half is HKDF-SHA256 of the key that codes the account's head, which opens in the
vault alone: nothing more has to be kept, and whoever looks into the data of a running server can sign. Signed are
the format's name, a line feed, and SHA-256 over all lines before the signature, each with its line feed.
"""

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGORITHM = "Ed25519"

_SIGNED = b"talkwire-audit-export/2\n"
_INFO = b"talkwire audit export"
_KEY_ID_CHARACTERS = 16


class Signature(msgspec.Struct, frozen=True, tag="signature", tag_field="line", forbid_unknown_fields=True):
    """The line after the last one of an export. `public_key` and `value` in lower-case hex."""

    algorithm: str
    key_id: str
    public_key: str
    value: str


def signing_key(code_key: bytes) -> Ed25519PrivateKey:
    """The key that signs an account's exports, from the key of its head's code."""
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(code_key)
    return Ed25519PrivateKey.from_private_bytes(seed)


def public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, digest: bytes) -> Signature:
    """`digest`: of all lines before."""
    public_key = public_hex(key)
    return Signature(ALGORITHM, _key_id_of(public_key), public_key, key.sign(_SIGNED + digest).hex())


def is_signature(signature: Signature, digest: bytes) -> bool:
    """Whether it fits what it was made for. Says nothing of whose key it is: anybody can sign."""
    if (signature.algorithm, signature.key_id) != (ALGORITHM, _key_id_of(signature.public_key)):
        return False
    try:
        public_key, value = bytes.fromhex(signature.public_key), bytes.fromhex(signature.value)
        Ed25519PublicKey.from_public_bytes(public_key).verify(value, _SIGNED + digest)
    except (InvalidSignature, ValueError):
        return False
    return (public_key.hex(), value.hex()) == (signature.public_key, signature.value)


def published_key(key: Ed25519PrivateKey) -> dict[str, str]:
    """The public key, for whoever verifies; in the words in which keys of receipts are published."""
    public_key = public_hex(key)
    return {"algorithm": ALGORITHM, "keyId": _key_id_of(public_key), "publicKey": public_key}


def _key_id_of(public_key: str) -> str:
    """A key's name is the beginning of the key."""
    return public_key[:_KEY_ID_CHARACTERS]
