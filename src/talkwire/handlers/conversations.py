"""Requests about conversations. Source: docs/protocol.md 5.3 to 5.5, 5.8."""

from typing import Any

import msgspec

from talkwire.conversations.model import Campaign, ConversationQuery, State, TtrType
from talkwire.conversations.opening import ConversationRequest
from talkwire.handlers.brands import check_brand, check_brand_filter
from talkwire.handlers.call import Call
from talkwire.handlers.fields import check_skill, field_changes
from talkwire.handlers.publish import fingerprint_of
from talkwire.handlers.services import Services
from talkwire.history.erasure_rules import MAX_ID_CHARACTERS
from talkwire.kernel.errors import Invalid, NotFound
from talkwire.kernel.ids import ANY_SKILL, ParticipantId, SkillId
from talkwire.protocol.codec import check_depth, encode
from talkwire.protocol.conversations import (
    AgentRequestConversation,
    CampaignInfo,
    ConsumerRequestConversation,
    SubscribeExConversations,
    UnsubscribeExConversations,
    UpdateConversationField,
    UpdateExConversationSubscription,
)

MAX_FILTER_IDS = 1_000
MAX_CONTEXT_BYTES = 16 * 1024
CLIENT_PROPERTIES = "clientProperties"


async def consumer_requests(
    services: Services, call: Call, body: ConsumerRequestConversation
) -> dict[str, str]:
    """Answer `cm.ConsumerRequestConversation`: a new conversation, in routing."""
    view = await services.opening.open_for_consumer(call.who, consumer_request(call, body))
    return {"conversationId": view.conversation.conversation_id}


def consumer_request(call: Call, body: ConsumerRequestConversation) -> ConversationRequest:
    """What a consumer asks for, in the words of the room. Raises Invalid."""
    check_brand(call, body.brand_id)
    return ConversationRequest(
        skill_id=skill_of(body.skill_id),
        ttr_type=_ttr_type(body.ttr_def_name),
        campaign=_campaign(body.campaign_info),
        context=_context(call, body.conversation_context),
        **_idempotency(call, body),
    )


async def agent_requests(services: Services, call: Call, body: AgentRequestConversation) -> dict[str, str]:
    """Answer `cm.AgentRequestConversation`: a conversation with a known consumer, or a closed one resumed."""
    check_brand(call, body.brand_id)
    context = body.conversation_context or {}
    origin = context.get("originConversationId")
    request = ConversationRequest(
        skill_id=skill_of(body.skill_id),
        ttr_type=_ttr_type(body.ttr_def_name),
        context=_context(call, context),
        consumer_id=body.consumer_id,
        origin_id=origin if isinstance(origin, str) else "",
        **_idempotency(call, body),
    )
    view = await services.opening.open_by_agent(call.who, request)
    return {"conversationId": view.conversation.conversation_id}


async def update_fields(services: Services, call: Call, body: UpdateConversationField) -> str:
    """Answer `cm.UpdateConversationField`: all items as one transaction."""
    changes = field_changes(body.fields, body.dialog_id)
    return await services.routing.update_fields(call.who, body.conversation_id, body.dialog_id, changes)


async def subscribe(services: Services, call: Call, body: SubscribeExConversations) -> dict[str, str]:
    """Answer `cqm.SubscribeExConversations`; the snapshot follows, then every change."""
    query = await _query(services, call, body)
    return {"subscriptionId": call.connection.follow_conversations(query)}


async def update_subscription(services: Services, call: Call, body: UpdateExConversationSubscription) -> str:
    """Answer `cqm.UpdateExConversationSubscription`: another filter; what it hides is taken back."""
    query = await _query(services, call, body)
    if not call.connection.change_conversations_query(body.subscription_id, query):
        raise NotFound("No such subscription")
    return "OK Subscription updated successfully"


async def unsubscribe(_services: Services, call: Call, body: UnsubscribeExConversations) -> str:
    """Answer `cqm.UnsubscribeExConversations`."""
    if not call.connection.unfollow_conversations(body.subscription_id):
        raise NotFound("No such subscription")
    return "OK Unsubscribed successfully"


async def _query(services: Services, call: Call, body: SubscribeExConversations) -> ConversationQuery:
    check_brand_filter(call, body.brand_id)
    wanted = _listed(body.agent_ids)
    agents = [await services.agents.find_agent(call.who.account_id, agent_id) for agent_id in wanted]
    ids = frozenset(agent.id for agent in agents if agent is not None)
    return ConversationQuery(
        states=_states(body.conv_state),
        stages=_states(body.stage),
        agent_ids=ids if ids or not wanted else frozenset({ParticipantId("")}),
        consumer_id=body.consumer_id or "",
        min_last_update_ms=body.min_last_updated_time,
        max_last_update_ms=body.max_last_updated_time,
        max_ettr_seconds=body.max_ettr,
    )


def skill_of(skill_id: str | int | None) -> SkillId:
    """A skill as clients send it: text or number; absent or empty means any. Raises Invalid."""
    text = str(skill_id).strip() if skill_id is not None else ""
    return check_skill(text) if text else ANY_SKILL


def _ttr_type(name: str | None) -> TtrType | None:
    if not name:
        return None
    try:
        return TtrType(name)
    except ValueError:
        raise Invalid("ttrDefName is NORMAL, URGENT, PRIORITIZED or CUSTOM") from None


def _campaign(info: CampaignInfo | None) -> Campaign | None:
    if info is None or info.campaign_id is None:
        return None
    ids = str(info.campaign_id), str(info.engagement_id or "")
    if max(map(len, ids)) > MAX_ID_CHARACTERS:  # kept whole: an engagement's erasure is asked for by its id
        raise Invalid(f"campaignId and engagementId have at most {MAX_ID_CHARACTERS} characters")
    return Campaign(*ids)


def _context(call: Call, context: dict[str, Any] | None) -> dict[str, Any]:
    """The client's context with its properties beside it, bounded: every notification carries it.

    Agents trust the properties shown there, the address above all: they come from the socket or from nowhere.
    """
    kept = {name: value for name, value in (context or {}).items() if name != CLIENT_PROPERTIES}
    check_depth(kept)
    if len(encode(kept)) > MAX_CONTEXT_BYTES:
        raise Invalid(f"conversationContext takes at most {MAX_CONTEXT_BYTES} bytes")
    if call.client_properties is not None:
        kept[CLIENT_PROPERTIES] = msgspec.json.decode(call.client_properties)
    return kept


def _idempotency(call: Call, body: msgspec.Struct) -> dict[str, Any]:
    if call.idempotency_key is None:
        return {}
    return {"idempotency_key": call.idempotency_key, "fingerprint": fingerprint_of(body)}


def _states(states: list[str] | str | None) -> frozenset[State]:
    try:
        return frozenset(State(state) for state in _listed(states))
    except ValueError:
        raise Invalid("convState and stage hold OPEN, CLOSE or LOCKED") from None


def _listed(value: list[str] | str | None) -> list[str]:
    """COMPAT: a list member may be sent as the bare element."""
    listed = [value] if isinstance(value, str) else list(value or ())
    if len(listed) > MAX_FILTER_IDS:
        raise Invalid(f"A filter holds at most {MAX_FILTER_IDS} ids")
    return listed
