"""Bodies of conversation requests. Source: docs/protocol.md 5.3 to 5.5, 5.8."""

from typing import Any

import msgspec

from talkwire.protocol.codec import Long


class CampaignInfo(msgspec.Struct, rename="camel"):
    campaign_id: str | int | None = None
    engagement_id: str | int | None = None


class ConsumerRequestConversation(msgspec.Struct, rename="camel"):
    """No body at all is legal."""

    ttr_def_name: str | None = None
    channel_type: str | None = None
    brand_id: str | int | None = None
    skill_id: str | int | None = None
    campaign_info: CampaignInfo | None = None
    conversation_context: dict[str, Any] | None = None


class AgentRequestConversation(msgspec.Struct, rename="camel"):
    """With `conversation_context.originConversationId` a closed conversation is resumed."""

    consumer_id: str
    channel_type: str | None = None
    ttr_def_name: str | None = None
    skill_id: str | int | None = None
    brand_id: str | int | None = None
    conversation_context: dict[str, Any] | None = None


class DialogField(msgspec.Struct, rename="camel"):
    dialog_id: str | None = None
    state: str | None = None
    closed_cause: str | None = None
    dialog_type: str | None = None
    channel_type: str | None = None


class DelayField(msgspec.Struct, rename="camel"):
    type: str
    till_when: Long


class ConversationField(msgspec.Struct, rename="camel"):
    """One item of `conversationField`; `field` says which of the other members count."""

    field: str
    type: str | None = None
    conversation_state: str | None = None
    dialog: DialogField | None = None
    role: str | None = None
    user_id: str | None = None
    skill: str | int | None = None
    ttr_type: str | None = None
    value: Long | None = None
    csat_rate: Long | None = None
    csat_resolution_confirmation: bool | None = None
    status: str | None = None
    note: str | None = None
    topic: str | None = None
    manual_ettr: Long | None = msgspec.field(default=None, name="manualETTR")
    delay: DelayField | None = None


class UpdateConversationField(msgspec.Struct, rename="camel"):
    """COMPAT: a single field may stand bare instead of in an array."""

    conversation_id: str
    conversation_field: ConversationField | list[ConversationField]
    dialog_id: str | None = None

    @property
    def fields(self) -> list[ConversationField]:
        one_or_more = self.conversation_field
        return one_or_more if isinstance(one_or_more, list) else [one_or_more]


class SubscribeExConversations(msgspec.Struct, rename="camel"):
    """Filters; whatever is absent, null or empty does not filter."""

    conv_state: list[str] | str | None = None
    stage: list[str] | str | None = None
    agent_ids: list[str] | str | None = None
    consumer_id: str | None = None
    brand_id: str | int | None = None
    min_last_updated_time: Long | None = None
    max_last_updated_time: Long | None = None
    max_ettr: Long | None = msgspec.field(default=None, name="maxETTR")


class UpdateExConversationSubscription(SubscribeExConversations, rename="camel"):
    subscription_id: str = ""


class UnsubscribeExConversations(msgspec.Struct, rename="camel"):
    subscription_id: str
