"""What an event that showed a file says once the file is gone. Pure."""

from enum import StrEnum

import msgspec

MASK = "*** LP deleted data ***"
"""Source: docs/protocol.md 9.11."""


class Gone(StrEnum):
    """Why files go by themselves; any other reason is an erasure."""

    EXPIRED = "expired"  # its time was over
    ORPHANED = "orphaned"  # it was never published


BY_THEMSELVES = frozenset(Gone)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def marked_event(event: bytes, reason: str) -> bytes:
    """The event with what clients need to show that its file is no more.

    An expired file keeps its caption, an erased one only its path, which leads nowhere. An event that shows
    no file stays as it is: somebody masked it before.
    """
    decoded = _decode(event)
    message = decoded.get("message")
    if not isinstance(message, dict) or "relativePath" not in message:
        return event
    message.pop("preview", None)
    if reason == Gone.EXPIRED:
        message["expired"] = True
    else:
        kept = {name: message[name] for name in ("relativePath", "fileType") if name in message}
        decoded["message"] = {**kept, "caption": MASK, "erased": True}
        decoded.pop("quickReplies", None)
    return _encode(decoded)
