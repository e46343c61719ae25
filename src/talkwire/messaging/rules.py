"""May this one publish this, here, now? Pure. Source: docs/protocol.md 5.6, Appendix A7."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from talkwire.conversations.model import Dialog, DialogType, Role, State
from talkwire.messaging.errors import BadEvent, DialogClosed, MayNotPublish
from talkwire.messaging.model import (
    HOSTED_FILE,
    TEXT,
    AcceptStatusEvent,
    Audience,
    ChatStateEvent,
    ContentEvent,
    Event,
    HostedFileEvent,
    RichContentEvent,
)

ACCEPT_STATUSES = frozenset({"ACCEPT", "READ", "ACCESS", "NACK", "ACTION", "VIEWED"})
CHAT_STATES = frozenset({"ACTIVE", "INACTIVE", "GONE", "COMPOSING", "PAUSE", "BACKGROUND"})
_encode = msgspec.json.Encoder().encode
SECURE_FORMS = frozenset({"forms/secure-invitation", "forms/secure-submission"})


@dataclass(frozen=True)
class EventLimits:
    """Bytes of UTF-8."""

    text_bytes: int = 32 * 1024
    rich_bytes: int = 128 * 1024


# Looked up once: an enum's members cost more than the comparison, and this is asked for every event.
_READER, _CONSUMER, _OPEN = Role.READER.value, Role.CONSUMER.value, State.OPEN
_ALL = Audience.ALL.value


MOST_SEQUENCES = 5_000
"""Of one receipt. Who read more than that reads on with another."""


def admit_event(dialog: Dialog, role: str, event: Event, audience: str, limits: EventLimits) -> None:
    """Refuse what this role may not publish in this dialog.

    Receipts may be sent after the close; nothing else may.
    Raises DialogClosed, MayNotPublish, BadEvent.
    """
    if role == _READER:
        raise MayNotPublish("A READER is silent")
    if dialog.state is not _OPEN and type(event) is not AcceptStatusEvent:
        raise DialogClosed("The dialog is closed")
    if audience != _ALL:
        _admit_private(role, audience)
    _CHECKS[type(event)](event, dialog, limits)


def _admit_private(role: str, audience: str) -> None:
    if audience != Audience.AGENTS_AND_MANAGERS:
        raise BadEvent("messageAudience is ALL or AGENTS_AND_MANAGERS")
    if role == _CONSUMER:
        raise MayNotPublish("Only agents and managers may publish privately")


def _check_content(event: ContentEvent, _dialog: Dialog, limits: EventLimits) -> None:
    if event.content_type == TEXT:
        text = event.message
        if type(text) is not str:
            raise BadEvent("message is text for text/plain")
        # a character takes four bytes at most: short texts need not be encoded to be measured
        if len(text) * 4 > limits.text_bytes and len(text.encode()) > limits.text_bytes:
            raise BadEvent(f"A text takes at most {limits.text_bytes} bytes")
    elif event.content_type in SECURE_FORMS or event.content_type == HOSTED_FILE:
        if not isinstance(event.message, dict):
            raise BadEvent(f"message is an object for {event.content_type}")
        _check_size(event, limits)
    else:
        raise BadEvent("Unknown contentType")
    if event.quick_replies is not msgspec.UNSET:
        _check_size(event, limits)


def _check_rich(event: RichContentEvent, _dialog: Dialog, limits: EventLimits) -> None:
    if not isinstance(event.content, dict):
        raise BadEvent("content is missing or not an object")
    _check_size(event, limits)


def _check_size(event: ContentEvent | RichContentEvent, limits: EventLimits) -> None:
    """Free-form content is measured as it is stored."""
    if len(_encode(event)) > limits.rich_bytes:
        raise BadEvent(f"Rich content takes at most {limits.rich_bytes} bytes")


def _check_accept(event: AcceptStatusEvent, _dialog: Dialog, _limits: EventLimits) -> None:
    if event.status not in ACCEPT_STATUSES:
        raise BadEvent("Unknown accept status")
    if len(event.sequences) > MOST_SEQUENCES:
        raise BadEvent(f"One receipt names at most {MOST_SEQUENCES} sequences")


def _check_chat_state(event: ChatStateEvent, dialog: Dialog, _limits: EventLimits) -> None:
    if event.chat_state not in CHAT_STATES:
        raise BadEvent("Unknown chat state")
    if dialog.type is DialogType.POST_SURVEY:
        raise BadEvent("A survey dialog takes no chat states")


def _check_file(event: HostedFileEvent, _dialog: Dialog, _limits: EventLimits) -> None:
    if event.message is None:
        raise BadEvent("message is missing")


_CHECKS: dict[type, Callable[[Any, Dialog, EventLimits], None]] = {
    ContentEvent: _check_content,
    HostedFileEvent: _check_file,
    RichContentEvent: _check_rich,
    AcceptStatusEvent: _check_accept,
    ChatStateEvent: _check_chat_state,
}


def read_up_to(event: Event, last_sequence: int) -> int | None:
    """The highest sequence a READ names, numbers that do not exist left out; None for anything else."""
    if type(event) is not AcceptStatusEvent or event.status != "READ":
        return None
    known = [sequence for sequence in event.sequences if 0 <= sequence <= last_sequence]
    return max(known, default=None)
