"""How any room says no. A room subclasses `TalkwireError`; `protocol/status.py` turns kinds into codes."""

from enum import Enum
from typing import ClassVar


class ErrorKind(Enum):
    """Every way to refuse. Closed: the table in `protocol/status.py` is total over it."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    NOT_ALLOWED = "not allowed"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    TOO_LARGE = "too large"
    TOO_MANY = "too many"
    UNAVAILABLE = "unavailable"
    STORAGE_FULL = "storage full"
    NOT_IMPLEMENTED = "not implemented"


class TalkwireError(Exception):
    """A refusal: an answer for whoever asked, not a fault of ours.

    `str(error)` is for people and may be sent to the client, so it never holds a secret.
    `number` refines the code on the wire (`errorCode` = HTTP code × 100 + number; 1 unless told).
    """

    kind: ClassVar[ErrorKind]
    number: ClassVar[int] = 1


class Invalid(TalkwireError):
    kind = ErrorKind.INVALID


class Unauthenticated(TalkwireError):
    kind = ErrorKind.UNAUTHENTICATED


class NotAllowed(TalkwireError):
    kind = ErrorKind.NOT_ALLOWED


class NotFound(TalkwireError):
    kind = ErrorKind.NOT_FOUND


class Conflict(TalkwireError):
    kind = ErrorKind.CONFLICT


class PreconditionFailed(TalkwireError):
    kind = ErrorKind.PRECONDITION


class TooMany(TalkwireError):
    """Over a rate or a count. `retry_after_seconds` is what HTTP answers in Retry-After."""

    kind = ErrorKind.TOO_MANY

    def __init__(self, message: str, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TooLarge(TalkwireError):
    kind = ErrorKind.TOO_LARGE


class Unavailable(TalkwireError):
    """We cannot now (database down, disk failing); nothing was done, trying again is right."""

    kind = ErrorKind.UNAVAILABLE


class StorageFull(Unavailable):
    kind = ErrorKind.STORAGE_FULL


class NotImplementedHere(TalkwireError):
    kind = ErrorKind.NOT_IMPLEMENTED
