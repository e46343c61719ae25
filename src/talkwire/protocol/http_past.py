"""Bodies and answers of calls about the past, as the published description tells them.

Source: docs/protocol.md 9.10, 9.11.
"""

from typing import Any, Literal

import msgspec

from talkwire.protocol.http_shapes import Id


class Between(msgspec.Struct, rename={"start": "from", "end": "to"}, omit_defaults=True):
    start: Id | None = None
    end: Id | None = None


class SearchBody(msgspec.Struct, rename="camel", omit_defaults=True):
    """Filters that all must hold."""

    start: Between | None = None
    end: Between | None = None
    status: list[Literal["OPEN", "CLOSE"]] | None = None
    agent_ids: list[Id] | None = None
    latest_agent_ids: list[Id] | None = None
    skill_ids: list[Id] | None = None
    latest_skill_ids: list[Id] | None = None
    duration: Between | None = None
    content_to_retrieve: list[str] | None = None


class ConsumerSearchBody(SearchBody, rename="camel", omit_defaults=True, kw_only=True):
    consumer: str


class ConversationSearchBody(msgspec.Struct, rename="camel", omit_defaults=True):
    """One of the first two."""

    conversation_id: str | None = None
    conversation_ids: list[str] | None = None
    content_to_retrieve: list[str] | None = None


class FoundConversations(msgspec.Struct):
    metadata: dict[str, Any] = msgspec.field(name="_metadata")
    conversationHistoryRecords: list[dict[str, Any]]  # noqa: N815


class AgentStatusBody(msgspec.Struct, rename="camel", omit_defaults=True):
    agent_ids: list[Id] | None = None
    status: list[str] | None = None


class AgentStatusAnswer(msgspec.Struct):
    metadata: dict[str, Any] = msgspec.field(name="_metadata")
    agentStatusRecords: list[dict[str, Any]]  # noqa: N815


class OwnConversationBody(msgspec.Struct, rename="camel"):
    conversation_id: str


class OwnEvents(msgspec.Struct, rename="camel"):
    message_event_records: list[dict[str, Any]]


class DeletionBody(msgspec.Struct, omit_defaults=True):
    """Exactly one of the three, with 1 to 100 ids."""

    consumer: list[str] | None = None
    conversation: list[str] | None = None
    engagement: list[str] | None = None


class DeletionAnswer(msgspec.Struct):
    request_id: int
    siteid: str
    request_time: str
    requested_by: str
    cancelled_by: str | None
    delete_json: str
    cancel_timestamp: str | None
    is_canceled: bool


class ListedDeletion(msgspec.Struct):
    request_id: int
    siteid: str
    request_time: str
    requested_by: str
    status: str


class CancellationBody(msgspec.Struct):
    is_canceled: bool
