"""Bytes to requests and answers to bytes. One decode per frame; bodies are decoded once they have a type."""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from talkwire.protocol.envelope import NOTHING, Notification, Request, Response
from talkwire.protocol.errors import BadFrame

T = TypeVar("T")
MAX_DEPTH = 64
"""How deep a body may nest. Source: docs/protocol.md 4.2."""

Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that the databases can hold."""

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Everything msgspec raises on bytes from outside."""

ERROR_TYPE = ".ReqBody$ErrorResp"


_ZERO = b"\\u0000"

_MOST_TOKENS, _MOST_BYTES = 4_000, 100_000
"""Of a frame that cannot be read, so far its id and what is wrong are looked for: about a millisecond."""

_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+'  # to the end where it has none: nothing is looked at twice
_TOKENS = re.compile(rb"%b|[{}\[\]]" % _TEXT, re.DOTALL)
_MEMBER = re.compile(rb"\s*+:\s*+(%b|-?[0-9][0-9.eE+-]*+)" % _TEXT, re.DOTALL)
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_HIGH, _LOW, _HIGH, _LOW))


class _OnlyId(msgspec.Struct):
    id: str | int | float | None = None


_ids = msgspec.json.Decoder(_OnlyId)
_requests = msgspec.json.Decoder(Request)
_arrays = msgspec.json.Decoder(list[Request])
_bodies: dict[type, msgspec.json.Decoder[Any]] = {}
encode = msgspec.json.Encoder(decimal_format="number").encode
"""Python to compact JSON bytes."""


def decode_request(frame: bytes) -> Request:
    """The request in a frame. Raises BadFrame, with the request's id where one can be read."""
    try:
        request = _requests.decode(frame)
        if not frame.isascii():
            frame.decode()  # all of it: what stays raw, or is not ours, was not looked at
        if _ZERO in frame:
            _check_zero(frame)
    except DECODE_ERRORS as error:
        raise BadFrame(f"Not a request: {_reason(error, frame)}", find_id(frame)) from None
    return request


def decode_requests(data: bytes, most: int) -> list[Request]:
    """The requests in an array of one to `most`. Raises BadFrame."""
    try:
        requests = _arrays.decode(data)
        if not data.isascii():
            data.decode()
        if _ZERO in data:
            _check_zero(data)
    except DECODE_ERRORS as error:
        raise BadFrame(f"Not an array of requests: {_reason(error)}") from None
    if not 1 <= len(requests) <= most:
        raise BadFrame(f"An array holds 1 to {most} requests")
    return requests


def decode_body(raw: msgspec.Raw, body_type: type[T]) -> T:
    """A typed body; a missing or null one counts as `{}`. Numbers may come as text. Raises BadFrame."""
    decoder = _bodies.get(body_type)
    if decoder is None:
        decoder = _bodies[body_type] = msgspec.json.Decoder(body_type, strict=False)
    data: Any = raw if raw and raw != NOTHING else b"{}"
    try:
        if bytes(data) == b"null":
            data = b"{}"
        return decoder.decode(data)  # type: ignore[no-any-return]
    except DECODE_ERRORS as error:
        raise BadFrame(_reason(error)) from None


def check_depth(value: object, limit: int = MAX_DEPTH) -> None:
    """Refuse free-form JSON nested deeper than we store. Raises BadFrame."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise BadFrame(f"Nested deeper than {limit}")


def _check_zero(frame: bytes) -> None:
    """No text may hold the character zero: PostgreSQL keeps none. Raises BadFrame."""
    if has_zero(msgspec.json.decode(frame)):
        raise BadFrame("The character zero stands in a text", find_id(frame))


def has_zero(value: object) -> bool:
    """Whether the character zero stands in a text of this JSON."""
    return b"\\u0000" in encode(value).replace(b"\\\\", b"")


def encode_response(request_id: str, code: int, type_name: str, body: object = msgspec.UNSET) -> bytes:
    return encode(Response(kind="resp", reqId=request_id, code=code, type=type_name, body=body))


def encode_notification(type_name: str, body: object) -> bytes:
    return encode(Notification(kind="notification", type=type_name, body=body))


def _reason(error: Exception, frame: bytes = b"") -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    if not isinstance(error, msgspec.ValidationError) and _LONE_SURROGATE.search(frame, 0, _MOST_BYTES):
        return "half of a surrogate pair"  # msgspec says that something is missing, and not what
    return str(error)


def find_id(frame: bytes) -> str:
    """The id of a request that is otherwise unusable, so that its sender can match the error."""
    try:
        return _decoded_id(frame)
    except DECODE_ERRORS:
        return _written_id(frame)


def _decoded_id(frame: bytes) -> str:
    found = _ids.decode(frame).id
    return "" if found is None else str(found)


def _written_id(frame: bytes) -> str:
    """The outermost member `id` as it stands in what is no JSON, or none that we read; the last one counts."""
    depth, found = 0, b"null"
    for _, token in zip(range(_MOST_TOKENS), _TOKENS.finditer(frame, 0, _MOST_BYTES), strict=False):
        match token[0]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
            case b'"id"' if depth == 1 and (member := _MEMBER.match(frame, token.end(), _MOST_BYTES)):
                found = member[1]
    try:
        return _decoded_id(b'{"id":%b}' % found)
    except DECODE_ERRORS:
        return ""
