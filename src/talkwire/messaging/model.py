"""The nouns of messaging: events as clients send them and as the log keeps them.

Source: docs/protocol.md 5.6, 6.1.
"""

from enum import StrEnum
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType


class Audience(StrEnum):
    ALL = "ALL"
    AGENTS_AND_MANAGERS = "AGENTS_AND_MANAGERS"


class EventKind(StrEnum):
    """What `events.kind` holds. Chat states are told but never stored."""

    CONTENT = "content"
    FILE = "file"
    RICH = "rich"
    ACCEPT = "accept"
    CHAT = "chat"


TEXT = "text/plain"
HOSTED_FILE = "hosted/file"


class ContentEvent(msgspec.Struct, tag_field="type", tag="ContentEvent", rename="camel"):
    """A text, a hosted file or a secure form. `message` is text for `text/plain`, an object otherwise."""

    content_type: str = TEXT
    message: str | dict[str, Any] | None = None
    quick_replies: Any | UnsetType = UNSET


class HostedFileEvent(msgspec.Struct, tag_field="type", tag="HostedFile", rename="camel"):
    """COMPAT: the prose of the file sharing tutorial names the event so. Source: docs/protocol.md 9.5."""

    message: dict[str, Any] | None = None


class RichContentEvent(msgspec.Struct, tag_field="type", tag="RichContentEvent", rename="camel"):
    """Structured content, opaque to us."""

    content: Any = None
    quick_replies: Any | UnsetType = UNSET


class AcceptStatusEvent(msgspec.Struct, tag_field="type", tag="AcceptStatusEvent", rename="camel"):
    """What became of messages at their reader's. Unknown sequences are ignored.

    COMPAT: a single sequence may be sent bare; a list is kept and told. Source: docs/protocol.md 4.2.
    """

    status: str
    sequence_list: list[int] | int

    def __post_init__(self) -> None:
        self.sequence_list = self.sequences

    @property
    def sequences(self) -> list[int]:
        return self.sequence_list if isinstance(self.sequence_list, list) else [self.sequence_list]


class ChatStateEvent(msgspec.Struct, tag_field="type", tag="ChatStateEvent", rename="camel"):
    """Typing and presence: told live, never stored, takes no sequence."""

    chat_state: str


Event = ContentEvent | HostedFileEvent | RichContentEvent | AcceptStatusEvent | ChatStateEvent


class ToldEvent(Protocol):
    """What a listener is told of an event: the view of `LoggedEvent` that the wire needs."""

    account_id: str
    conversation_id: str
    dialog_id: str
    sequence: int  # -1 for chat states
    at_ms: int
    kind: str
    originator_id: str  # consumer id or PId
    originator_old_id: str
    originator_role: str
    audience: str
    told_event: bytes  # JSON
    metadata: bytes | None
    client_properties: bytes | None
