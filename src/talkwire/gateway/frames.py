"""Server frames, put together by hand so that one encoding serves every socket. Source: RFC 6455, 5.2."""

from talkwire.messaging.logged import LoggedEvent
from talkwire.protocol.notify import event_notification_v2, event_notification_v3

_SHORT, _MEDIUM = 126, 65_536
_HEADERS = tuple(
    bytes((0x81, size)) if size < _SHORT else b"\x81\x7e" + size.to_bytes(2, "big") for size in range(4096)
)
"""Of text frames by size, made once: most frames are small, and there are three for every event."""


def text_frame(payload: bytes) -> bytes:
    """One unmasked, final text frame."""
    size = len(payload)
    if size < len(_HEADERS):
        return _HEADERS[size] + payload
    if size < _MEDIUM:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), payload)


def pong_frame(data: bytes) -> bytes:
    """The answer to a ping. `data` is the ping's: at most 125 bytes."""
    return b"\x8a%c%b" % (len(data), data)


def close_frame(code: int, reason: str) -> bytes:
    """A goodbye. The reason must fit: at most 123 bytes."""
    return b"\x88%c%b%b" % (2 + len(reason.encode()), code.to_bytes(2, "big"), reason.encode())


def event_frame(event: LoggedEvent, *, is_v3: bool) -> bytes:
    """The frame that tells of an event, encoded at the first asking."""
    if is_v3:
        frame = event.frame_v3
        if frame is None:
            frame = event.frame_v3 = text_frame(event_notification_v3(event))
        return frame
    frame = event.frame_v2
    if frame is None:
        frame = event.frame_v2 = text_frame(event_notification_v2(event))
    return frame
