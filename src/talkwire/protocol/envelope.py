"""Requests and responses as they stand in a frame. Source: docs/protocol.md 4.2."""

from enum import Enum
from typing import Any

import msgspec

NOTHING = msgspec.Raw(b"")


class Dialect(Enum):
    """Which names and shapes a socket gets. Source: docs/protocol.md 4.4."""

    V2 = "2"
    V2_1 = "2.1"
    V3 = "3"

    @property
    def is_v3(self) -> bool:
        return self is Dialect.V3


class Request(msgspec.Struct):
    """Any request frame. Bodies stay raw until the catalogue says what they are."""

    type: str
    id: str | int | float | None = None
    kind: str | None = "req"
    body: msgspec.Raw = NOTHING
    headers: msgspec.Raw = NOTHING
    metadata: msgspec.Raw = NOTHING

    @property
    def text_id(self) -> str:
        """The id as answers echo it. Clients compare text. Source: docs/protocol.md 4.2."""
        return "" if self.id is None else str(self.id)


class Response(msgspec.Struct, omit_defaults=True):
    """An answer frame; `kind` is the first member."""

    kind: str
    reqId: str  # noqa: N815 -- the wire's spelling
    code: int
    type: str
    body: Any = msgspec.UNSET


class Notification(msgspec.Struct):
    kind: str
    type: str
    body: Any


class ErrorBody(msgspec.Struct, rename="camel"):
    """The structured error form. `error_code` is HTTP code × 100 + n."""

    title: str
    details: str
    error_code: int
