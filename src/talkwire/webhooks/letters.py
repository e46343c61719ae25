"""What is posted: body, signatures and headers. Source: docs/protocol.md 8."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

from talkwire.connectors.delivery_model import Delivery
from talkwire.connectors.delivery_rules import KEY_OF_KIND
from talkwire.connectors.model import EventKey
from talkwire.conversations.views import View
from talkwire.messaging.logged import LoggedEvent
from talkwire.protocol import codec
from talkwire.protocol.conversation_details import CHANGES_V3, conversation_result
from talkwire.protocol.envelope import Dialect
from talkwire.protocol.notify import EVENTS_V3, event_change

SIGNATURE = "X-Liveperson-Signature"
SIGNATURE_256 = "X-Liveperson-Signature-256"
DELIVERY_ID = "X-Talkwire-Delivery-Id"
ATTEMPT = "X-Talkwire-Attempt"

_NOT_ASCII = re.compile("[^\x00-\x7f]")


class Letter(NamedTuple):
    """One delivery, ready to be sent."""

    delivery: Delivery
    body: bytes


def event_letter(event: LoggedEvent) -> Letter:
    """One event. Chat states have no sequence; theirs is their moment."""
    body = b'{"kind":"notification","type":"%b","body":{"changes":[%b]}}' % (
        EVENTS_V3.encode(),
        event_change(event, is_v3=True),
    )
    number = event.sequence if event.sequence >= 0 else f"chat-{event.at_ms}"
    delivery = Delivery(
        delivery_id=f"{event.dialog_id}.{number}",
        event_key=KEY_OF_KIND[event.kind],
        conversation_id=event.conversation_id,
        dialog_id=event.dialog_id,
        sequence=event.sequence,
        event_at_ms=event.at_ms,
    )
    return Letter(delivery, ascii_json(body))


def conversation_letter(view: View) -> Letter:
    """A conversation as it stands now, as its consumer may see it."""
    result = codec.encode(conversation_result(view, Dialect.V3, sees_private=False))
    body = b'{"kind":"notification","type":"%b","body":{"changes":[{"type":"UPSERT","result":%b}]}}' % (
        CHANGES_V3.encode(),
        result,
    )
    conversation = view.conversation
    delivery = Delivery(
        delivery_id=f"{conversation.conversation_id}.v{conversation.version}",
        event_key=EventKey.CONVERSATION,
        conversation_id=conversation.conversation_id,
        dialog_id=conversation.conversation_id,
        sequence=conversation.version,
        event_at_ms=conversation.updated_at_ms,
    )
    return Letter(delivery, ascii_json(body))


def ascii_json(body: bytes) -> bytes:
    """The same JSON, all that is not ASCII escaped: some receivers hash it as ASCII."""
    if body.isascii():
        return body
    return _NOT_ASCII.sub(_escaped, body.decode()).encode("ascii")


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def signature(secret: bytes, body: bytes, algorithm: str) -> str:
    """`sha1=` or `sha256=` and the base64 of the HMAC over the raw body."""
    digest = hmac.digest(secret, body, getattr(hashlib, algorithm))
    return f"{algorithm}={base64.b64encode(digest).decode()}"


def headers_of(
    letter: Letter,
    account_id: str,
    client_id: str,
    secret: bytes,
    custom: tuple[tuple[str, str], ...],
    attempt: int,
) -> Mapping[str, str]:
    """Ours are set last: an app's own headers cannot pretend to be them."""
    ours = {
        "Content-Type": "application/json",
        "X-Liveperson-Account-Id": account_id,
        "X-Liveperson-Client-Id": client_id,
        SIGNATURE: signature(secret, letter.body, "sha1"),
        SIGNATURE_256: signature(secret, letter.body, "sha256"),
        DELIVERY_ID: letter.delivery.delivery_id,
        ATTEMPT: str(attempt),
    }
    reserved = {name.lower() for name in ours}
    return {name: value for name, value in custom if name.lower() not in reserved} | ours
