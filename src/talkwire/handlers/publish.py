"""`ms.PublishEvent`: the one request that does not wait for its answer before the next is taken.

Source: docs/protocol.md 5.6, 9.5.
"""

import hashlib

import msgspec

from talkwire.files.model import HostedFileMessage
from talkwire.handlers.call import Call
from talkwire.kernel.errors import Invalid
from talkwire.messaging.model import (
    HOSTED_FILE,
    ContentEvent,
    Event,
    HostedFileEvent,
    RichContentEvent,
)
from talkwire.messaging.publishing import NO_EXTRAS, Extras
from talkwire.protocol import codec
from talkwire.protocol.envelope import Request
from talkwire.protocol.errors import BadFrame
from talkwire.protocol.messaging import PublishEvent

MAX_METADATA_BYTES = 16 * 1024
MAX_KEY_CHARACTERS = 128
_publishes = msgspec.json.Decoder(PublishEvent, strict=False)


def read_publish(request: Request) -> PublishEvent:
    """The body of a publish, checked for what only the wire cares about. Raises BadFrame."""
    try:
        body = _publishes.decode(request.body)
    except codec.DECODE_ERRORS:
        body = codec.decode_body(
            request.body, PublishEvent
        )  # to say what is wrong, or to take no body for `{}`
    event = body.event
    if isinstance(event, ContentEvent):
        if event.quick_replies is not msgspec.UNSET or type(event.message) is dict:
            _check_tree([event.message, event.quick_replies])
    elif isinstance(event, RichContentEvent):
        _check_tree([event.content, event.quick_replies])
    return body


def _check_tree(parts: list[object]) -> None:
    codec.check_depth([part for part in parts if part is not msgspec.UNSET])


def extras_of(call: Call, request: Request, body: PublishEvent) -> Extras:
    """What comes with a publish. Most come with nothing."""
    metadata = request.metadata
    audience = body.message_audience
    if (
        not bytes(metadata)
        and audience is None
        and call.client_properties is None
        and call.idempotency_key is None
    ):
        return NO_EXTRAS
    return Extras(
        audience=audience or "ALL",
        metadata=_metadata(metadata),
        client_properties=call.client_properties,
        idempotency_key=call.idempotency_key,
        fingerprint=fingerprint_of(body, bytes(metadata)) if call.idempotency_key else None,
    )


def fingerprint_of(body: msgspec.Struct, metadata: bytes = b"") -> bytes:
    """A hash of what a request means, so that one idempotency key stands for one request."""
    return hashlib.sha256(codec.encode(body) + metadata).digest()


def hosted_file_of(event: Event) -> HostedFileMessage | None:
    """The file a publish is about; None when it is about something else. Raises BadFrame."""
    if isinstance(event, HostedFileEvent) or (
        isinstance(event, ContentEvent) and event.content_type == HOSTED_FILE
    ):
        try:
            return msgspec.convert(event.message, HostedFileMessage, strict=False)
        except msgspec.ValidationError as error:
            raise BadFrame(f"hosted/file: {error}") from None
    return None


def check_key(key: object) -> str:
    """An idempotency key that a database can hold. Raises BadFrame."""
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY_CHARACTERS or not key.isprintable():
        raise BadFrame(f"An idempotency key is text of 1 to {MAX_KEY_CHARACTERS} printable characters")
    return key


def _metadata(raw: msgspec.Raw) -> bytes | None:
    """`metadata` as we store it: a JSON array we encoded. Raises BadFrame."""
    if not bytes(raw) or bytes(raw) == b"null":
        return None
    try:
        items = msgspec.json.decode(raw)
    except codec.DECODE_ERRORS:
        raise BadFrame("metadata cannot be read") from None
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, list):
        raise Invalid("metadata is not an array")
    codec.check_depth(items)
    encoded = codec.encode(items)
    if len(encoded) > MAX_METADATA_BYTES:
        raise Invalid(f"metadata takes at most {MAX_METADATA_BYTES} bytes")
    return encoded
