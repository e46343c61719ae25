"""The nouns of connectors."""

from enum import StrEnum
from typing import Any

import msgspec

from talkwire.kernel.ids import AccountId

APPS_COLLECTION = "apps"
SEND_SCOPE = "msg.consumer"
"""What an app's token must cover to speak for consumers."""


class EventKey(StrEnum):
    """What a webhook may be told of. Source: docs/protocol.md 8."""

    CONVERSATION = "cqm.ExConversationChangeNotification"
    CONTENT = "ms.MessagingEventNotification.ContentEvent"  # texts and files
    RICH_CONTENT = "ms.MessagingEventNotification.RichContentEvent"
    ACCEPT_STATUS = "ms.MessagingEventNotification.AcceptStatusEvent"
    CHAT_STATE = "ms.MessagingEventNotification.ChatStateEvent"


EVENT_KEYS = tuple(key.value for key in EventKey)


class Webhook(msgspec.Struct, frozen=True):
    """Where one kind of event goes."""

    endpoint: str
    headers: tuple[tuple[str, str], ...] = ()  # sent with each delivery, in this order
    max_retries: int | None = None  # 0 to 5; None: nobody said


class App(msgspec.Struct, frozen=True, kw_only=True):
    """One installation. The secret is here only as the vault sealed it: `Apps.secret_of` opens it."""

    account_id: AccountId
    client_id: str  # UUID; the wire's `id` is the same
    name: str
    created_at_ms: int
    updated_at_ms: int
    revision: int = 0  # of the account's apps, when this one was last written
    description: str = ""
    logo_uri: str = ""
    enabled: bool = True
    deleted: bool = False
    scope: str = SEND_SCOPE  # names, separated by spaces
    grant_types: tuple[str, ...] = ("client_credentials",)
    response_types: tuple[str, ...] = ()
    webhooks: dict[str, Webhook] = {}  # by event key
    retention_seconds: int | None = None  # retry by time; None: by count
    capabilities: dict[str, Any] = {}  # the others (engagement, broadcast), as they were sent
    sealed_secret: bytes = b""

    @property
    def is_in_use(self) -> bool:
        """Whether it may act and is told anything."""
        return self.enabled and not self.deleted

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())


class AppDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An installation as somebody wants it; what is None stays as it is (or takes its default)."""

    name: str | None = None
    description: str | None = None
    logo_uri: str | None = None
    enabled: bool | None = None
    scope: str | None = None
    grant_types: tuple[str, ...] | None = None
    response_types: tuple[str, ...] | None = None
    webhooks: dict[str, Webhook] | None = None
    retention_seconds: int | None = None  # counts only together with `webhooks`
    capabilities: dict[str, Any] | None = None
