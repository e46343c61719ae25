"""One client as a state machine, without I/O: what to do with each frame it sends.

Source: docs/protocol.md 3.7, 3.8, 4.2, 5.1.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from talkwire.identity.model import Kind, Principal
from talkwire.kernel.errors import TalkwireError
from talkwire.protocol import codec
from talkwire.protocol.catalog import BRAND, BY_SPELLING, CONSUMER, RequestType
from talkwire.protocol.client_properties import is_client_properties, is_consumer_authentication
from talkwire.protocol.envelope import Dialect, Request
from talkwire.protocol.errors import (
    BadFrame,
    BadToken,
    NotConnectedYet,
    NotForThisRole,
    TooManyRequests,
    UnknownRequest,
)
from talkwire.protocol.status import error_body

CONNECTED = "Connection initialized successfully"
"""Compared literally by a published client. Source: docs/protocol.md 5.1."""


INIT_CONNECTION = BY_SPELLING["InitConnection"]
REFILL_MS = 1_000
TYPES_OF_ROLE: dict[str, dict[str, RequestType]] = {
    role: {name: kind for name, kind in BY_SPELLING.items() if role in kind.roles}
    for role in (CONSUMER, BRAND)
}
"""Looked up with every frame: what one kind of socket may ask, by every spelling."""


@dataclass(frozen=True)
class PeerLimits:
    """Requests per second and socket, and how many may come at once; characters of a token."""

    requests_per_second: int = 5_000
    burst: int = 10_000
    token_characters: int = 2_048


class Perform(NamedTuple):
    """Do this request."""

    request: Request
    request_type: RequestType


class Connect(NamedTuple):
    """InitConnection: check the token if there is one, keep the properties, then say `connected` or `refused`."""

    request_id: str
    jwt: str | None
    properties: dict[str, Any] | None


class Refuse(NamedTuple):
    """Answer with this payload and go on."""

    payload: bytes


class Dismiss(NamedTuple):
    """Answer with this payload and end the socket: what came as its token is none."""

    payload: bytes


Step = Perform | Connect | Refuse | Dismiss


class Peer:
    """Knows who the client is, what it may ask now, and how fast."""

    __slots__ = ("_allowance", "_limits", "_refilled_at_ms", "_types", "dialect", "role", "who")

    def __init__(
        self, role: str, dialect: Dialect, who: Principal | None, limits: PeerLimits, now_ms: int
    ) -> None:
        self.role = role
        self.dialect = dialect
        self.who = who
        self._types = TYPES_OF_ROLE[role]
        self._limits = limits
        self._allowance = float(limits.burst)
        self._refilled_at_ms = now_ms

    def receive(self, frame: bytes, now_ms: int) -> Step:
        """The next step for a frame. Never raises: what is wrong with it is answered.

        Each frame that is taken costs one, whatever comes of it: reading a bad one is work too.
        """
        if self._allowance < 1 or now_ms - self._refilled_at_ms > REFILL_MS:
            self._refill(now_ms)
            if self._allowance < 1:
                error = TooManyRequests("Too many requests on this socket")
                return Refuse(self.refusal(codec.find_id(frame), error))
        self._allowance -= 1
        request_id = ""
        try:
            request = codec.decode_request(frame)
            if request.id is not None:
                request_id = str(request.id)
            request_type = self._types.get(request.type)
            if request_type is None:
                raise self._unknown(request.type)
            if self.who is None or request_type is INIT_CONNECTION:
                return self._connect(request, request_type)
            return Perform(request, request_type)
        except BadFrame as error:
            return Refuse(self.refusal(error.request_id or request_id, error))
        except BadToken as error:
            return Dismiss(self.refusal(request_id, error))
        except TalkwireError as error:
            return Refuse(self.refusal(request_id, error))

    def refusal(self, request_id: str, error: TalkwireError) -> bytes:
        """The answer that says no. An error never carries a success type's name."""
        code, body = error_body(error, self.dialect)
        return codec.encode_response(request_id, code, codec.ERROR_TYPE, body)

    def connected(self, who: Principal, request_id: str) -> bytes:
        """The token was good: the answer to InitConnection."""
        self.who = who
        text_type = INIT_CONNECTION.answer_type(self.dialect)
        return codec.encode_response(request_id, 200, text_type, CONNECTED)

    def _unknown(self, name: str) -> TalkwireError:
        if name in BY_SPELLING:
            return NotForThisRole(f"{BY_SPELLING[name].name} is not for {self.role} sockets")
        return UnknownRequest(f"Unknown request type {name[:100]!r}")

    def _connect(self, request: Request, request_type: RequestType) -> Connect:
        """Only InitConnection is taken before the client is known."""
        if request_type is not INIT_CONNECTION:
            raise NotConnectedYet("Send InitConnection first")
        jwt = None
        properties = None
        for item in header_items(request):
            name = str(item.get("type", ""))
            if is_client_properties(name):
                properties = item
            elif is_consumer_authentication(name):
                jwt = item.get("jwt")
        if jwt is not None and (not isinstance(jwt, str) or len(jwt) > self._limits.token_characters):
            raise BadToken("jwt is not a token")
        if jwt is None and self.who is None:
            raise NotConnectedYet("ConsumerAuthentication is missing")
        return Connect(request.text_id, jwt, properties)

    def _refill(self, now_ms: int) -> None:
        """Give back what the time since the last refill earned."""
        earned = (now_ms - self._refilled_at_ms) * self._limits.requests_per_second / 1000
        self._allowance = min(self._allowance + max(earned, 0), float(self._limits.burst))
        self._refilled_at_ms = now_ms

    @property
    def is_consumer(self) -> bool:
        return self.role == "consumer"

    @property
    def is_agent(self) -> bool:
        return self.who is not None and self.who.kind is Kind.AGENT


def header_items(request: Request) -> list[dict[str, Any]]:
    """The items of `headers` that are objects. Raises BadFrame."""
    if not bytes(request.headers) or bytes(request.headers) == b"null":
        return []
    try:
        items = msgspec.json.decode(request.headers)
    except codec.DECODE_ERRORS:
        raise BadFrame("headers cannot be read", request.text_id) from None
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, list):
        raise BadFrame("headers is not an array", request.text_id)
    return [item for item in items if isinstance(item, dict)]
