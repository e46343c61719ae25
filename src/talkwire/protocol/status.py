"""The only table from kinds of refusal to codes on the wire. Source: docs/protocol.md 3.8, 4.2, 9.6."""

from typing import NamedTuple

from talkwire.kernel.errors import ErrorKind, TalkwireError
from talkwire.protocol.envelope import Dialect, ErrorBody


class Status(NamedTuple):
    code: int  # HTTP status and the `code` of an answer
    title: str


STATUS: dict[ErrorKind, Status] = {
    ErrorKind.INVALID: Status(400, "Bad request"),
    ErrorKind.UNAUTHENTICATED: Status(401, "Unauthorized"),
    ErrorKind.NOT_ALLOWED: Status(403, "Forbidden"),
    ErrorKind.NOT_FOUND: Status(404, "Not found"),
    ErrorKind.CONFLICT: Status(409, "Conflict"),
    ErrorKind.PRECONDITION: Status(412, "Precondition failed"),
    ErrorKind.TOO_LARGE: Status(413, "Too large"),
    ErrorKind.TOO_MANY: Status(429, "Too many requests"),
    ErrorKind.UNAVAILABLE: Status(503, "Service unavailable"),
    ErrorKind.STORAGE_FULL: Status(507, "Insufficient storage"),
    ErrorKind.NOT_IMPLEMENTED: Status(501, "Not implemented"),
}

INTERNAL_ERROR = Status(500, "Internal error")


class Close:
    """Close codes of sockets. Source: docs/protocol.md 3.8."""

    NORMAL = 1000
    GOING_AWAY = 1001
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013  # outbox over its bound: reconnect with the same token, catch up by sequence
    TOKEN_INVALID = 4401
    IDENTITY_EXPIRED = 4407  # anonymous identity: extend it at the identity service


def status_of(error: TalkwireError, dialect: Dialect | None = None) -> tuple[Status, int]:
    """Code, title and `errorCode` for a refusal.

    COMPAT: on v2 a download of an unknown file is 500, the only code the published SDK example survives.
    Source: docs/protocol.md 9.6.
    """
    if dialect not in (None, Dialect.V3) and getattr(error, "v2_as_internal_error", False):
        return Status(500, STATUS[error.kind].title), 50001
    status = STATUS[error.kind]
    return status, status.code * 100 + error.number


def error_body(error: TalkwireError, dialect: Dialect | None = None) -> tuple[int, ErrorBody]:
    """The structured body of a refusal, and its code."""
    status, number = status_of(error, dialect)
    return status.code, ErrorBody(title=status.title, details=str(error) or status.title, error_code=number)
