"""Bodies of publishing and catching up. Source: docs/protocol.md 5.6, 5.7, 9.5."""

import msgspec

from talkwire.messaging.model import Event
from talkwire.protocol.codec import Long


class PublishEvent(msgspec.Struct, rename="camel"):
    dialog_id: str
    event: Event
    conversation_id: str | None = None
    message_audience: str | None = None


class SubscribeMessagingEvents(msgspec.Struct, rename="camel"):
    """`from_seq` is inclusive."""

    dialog_id: str
    conversation_id: str | None = None
    from_seq: Long | None = None


class UnsubscribeMessagingEvents(msgspec.Struct, rename="camel"):
    dialog_id: str | None = None
    subscription_id: str | None = None


class QueryMessages(msgspec.Struct, rename="camel"):
    """COMPAT: `newerThanSequence` counts as inclusive too; the SDK sends 0 for "all"."""

    dialog_id: str
    conversation_id: str | None = None
    from_seq: Long | None = None
    newer_than_sequence: Long | None = None
    max_quantity: Long | None = None
