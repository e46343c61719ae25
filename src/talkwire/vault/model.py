"""The nouns of the vault."""

from typing import NamedTuple

CONSUMER = "consumer"
STAGING = "staging"
SEALING = "sealing"


class Holder(NamedTuple):
    """For whom a file's key is wrapped."""

    kind: str  # CONSUMER | STAGING (| SEALING: no file's holder, it seals small values)
    consumer_id: str = ""


class FileKey(NamedTuple):
    """A file's key: `key_id` may be stored and logged, `secret` never leaves memory."""

    key_id: str  # 32 hex digits
    secret: bytes  # 32 bytes
