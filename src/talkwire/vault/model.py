"""The nouns of the vault."""

from typing import NamedTuple

CONSUMER = "consumer"
STAGING = "staging"
"""Holds the account's files that no consumer has seen yet."""
SEALING = "sealing"
"""No file's holder: seals small values that other stores keep."""


class Holder(NamedTuple):
    """For whom a file's key is wrapped: a consumer, or the account itself."""

    kind: str  # CONSUMER | STAGING | SEALING
    consumer_id: str = ""


class FileKey(NamedTuple):
    """A file's key: `key_id` may be stored and logged, `secret` never leaves memory."""

    key_id: str  # 32 hex digits
    secret: bytes  # 32 bytes

    def __repr__(self) -> str:
        return f"FileKey({self.key_id!r})"


class HolderKey(NamedTuple):
    """A holder's key, unwrapped."""

    key_id: str  # 16 hex digits
    secret: bytes

    def __repr__(self) -> str:
        return f"HolderKey({self.key_id!r})"


class Wrapped(NamedTuple):
    """One row of `file_keys`: a file's key under a holder's."""

    account_id: str
    key_id: str
    holder_key_id: str
    wrapped: bytes
    made_at: int  # epoch ms


class Counts(NamedTuple):
    """What lies in the key store."""

    master_id: str
    accounts: int
    unfinished_rotations: int
    consumers: int
    files: int
