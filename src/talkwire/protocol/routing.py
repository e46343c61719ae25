"""Bodies of routing requests. Source: docs/protocol.md 5.11."""

import msgspec


class SetAgentState(msgspec.Struct, rename="camel"):
    availability: str
    channels: list[str] | str | None = None
    agent_user_id: str | None = None
    description: str | None = None


class SubscribeRoutingTasks(msgspec.Struct, rename="camel"):
    channel_type: str | None = None
    agent_id: str | None = None
    brand_id: str | int | None = None


class UpdateRoutingTaskSubscription(msgspec.Struct, rename="camel"):
    subscription_id: str


class UpdateRingState(msgspec.Struct, rename="camel"):
    ring_id: str
    ring_state: str


class SubscribeAgentsState(msgspec.Struct, rename="camel"):
    brand_id: str | int | None = None
    agent_id: str | None = None
