"""Every request type, once: its names, its body, who may send it, and what answers are called.

Source: docs/protocol.md 4.4, 4.5.
"""

from dataclasses import dataclass
from typing import Any

from talkwire.protocol import conversations, files, identity, messaging, routing
from talkwire.protocol.envelope import Dialect

CONSUMER, BRAND = "consumer", "brand"
BOTH = frozenset({CONSUMER, BRAND})
ONLY_CONSUMER = frozenset({CONSUMER})
ONLY_BRAND = frozenset({BRAND})


@dataclass(frozen=True)
class RequestType:
    """One row. `answer` and `answer_v2` are the type names of successful answers."""

    name: str  # as v3 spells it
    body: Any
    answer: str
    answer_v2: str
    roles: frozenset[str] = BOTH  # on whose sockets
    by_connector: bool = False  # over HTTP, on behalf of a consumer
    code: int = 200
    aliases: tuple[str, ...] = ()

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every name it is known by, on every socket."""
        v2 = self.name.replace("cqm.", "aam.", 1)
        return (self.name, f".ams.{v2}", f".{self.name}", v2, *self.aliases)

    def answer_type(self, dialect: Dialect) -> str:
        return self.answer if dialect.is_v3 else self.answer_v2


_TEXT = ("StringResponse", ".ReqBody$StringResp")
_SUBSCRIBED = ("GenericSubscribeResponse", ".ams.GenericSubscribe$Response")
_OPENED = ("cm.RequestConversationResponse", ".ams.cm.RequestConversation$Response")
_URL = ("ms.BaseGenerateURLResponse", ".ams.ms.BaseGenerateURL$Response")

REQUESTS: tuple[RequestType, ...] = (
    RequestType("InitConnection", Any, *_TEXT, roles=ONLY_CONSUMER),
    RequestType("GetClock", Any, "GetClockResponse", ".GetClock$Response"),
    RequestType("KeepAlive", Any, *_TEXT),
    RequestType(
        "cm.ConsumerRequestConversation",
        conversations.ConsumerRequestConversation,
        *_OPENED,
        roles=ONLY_CONSUMER,
        by_connector=True,
    ),
    RequestType(
        "cm.AgentRequestConversation", conversations.AgentRequestConversation, *_OPENED, roles=ONLY_BRAND
    ),
    RequestType(
        "cm.UpdateConversationField", conversations.UpdateConversationField, *_TEXT, by_connector=True
    ),
    RequestType(
        "ms.PublishEvent",
        messaging.PublishEvent,
        "ms.PublishEventResponse",
        ".ams.ms.PublishEvent$Response",
        by_connector=True,
    ),
    RequestType(
        "ms.QueryMessages",
        messaging.QueryMessages,
        "ms.QueryMessagesResponse",
        ".ams.ms.QueryMessages$Response",
        by_connector=True,
    ),
    RequestType("ms.SubscribeMessagingEvents", messaging.SubscribeMessagingEvents, *_SUBSCRIBED),
    RequestType("ms.UnsubscribeMessagingEvents", messaging.UnsubscribeMessagingEvents, *_TEXT),
    RequestType(
        "cqm.SubscribeExConversations",
        conversations.SubscribeExConversations,
        "cqm.SubscribeExConversationsResponse",
        ".ams.aam.SubscribeExConversations$Response",
    ),
    RequestType(
        "cqm.UpdateExConversationSubscription", conversations.UpdateExConversationSubscription, *_TEXT
    ),
    RequestType("cqm.UnsubscribeExConversations", conversations.UnsubscribeExConversations, *_TEXT),
    RequestType(
        "userprofile.SetUserProfile", identity.SetUserProfile, *_TEXT, roles=ONLY_CONSUMER, by_connector=True
    ),
    RequestType(
        "userprofile.GetUserProfile",
        identity.GetUserProfile,
        "userprofile.GetUserProfileResponse",
        ".ams.userprofile.GetUserProfile$Response",
        aliases=("up.GetUserProfile", ".ams.up.GetUserProfile"),
    ),
    RequestType("ms.GenerateURLForUploadFile", files.GenerateUrlForUploadFile, *_URL, by_connector=True),
    RequestType("ms.GenerateURLForDownloadFile", files.GenerateUrlForDownloadFile, *_URL, by_connector=True),
    RequestType(
        "routing.SubscribeRoutingTasks", routing.SubscribeRoutingTasks, *_SUBSCRIBED, roles=ONLY_BRAND
    ),
    RequestType(
        "routing.UpdateRoutingTaskSubscription",
        routing.UpdateRoutingTaskSubscription,
        *_TEXT,
        roles=ONLY_BRAND,
    ),
    RequestType("routing.UpdateRingState", routing.UpdateRingState, *_TEXT, roles=ONLY_BRAND, code=202),
    RequestType("routing.SetAgentState", routing.SetAgentState, *_TEXT, roles=ONLY_BRAND, code=202),
    RequestType("routing.SubscribeAgentsState", routing.SubscribeAgentsState, *_SUBSCRIBED, roles=ONLY_BRAND),
    RequestType(
        "ms.token.GenerateDownloadToken",
        Any,
        "ms.token.GenerateDownloadTokenResponse",
        ".ams.ms.token.GenerateDownloadToken$Response",
    ),
    RequestType(
        "ms.GenerateUploadToken",
        Any,
        "ms.GenerateUploadTokenResponse",
        ".ams.ms.GenerateUploadToken$Response",
        aliases=("ms.token.GenerateUploadToken", ".ams.ms.token.GenerateUploadToken"),
    ),
    RequestType("brandprofile.GetBrands", Any, *_TEXT, roles=ONLY_BRAND),
    RequestType("brandprofile.GetBrandProfile", Any, *_TEXT, roles=ONLY_BRAND),
    RequestType("brandprofile.SetBrandProfile", Any, *_TEXT, roles=ONLY_BRAND),
)

BY_SPELLING: dict[str, RequestType] = {
    spelling: request for request in REQUESTS for spelling in request.spellings
}
