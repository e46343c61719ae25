"""Requests about routing. Source: docs/protocol.md 5.11."""

from talkwire.handlers.brands import check_brand_filter
from talkwire.handlers.call import Call
from talkwire.handlers.services import Services
from talkwire.identity.model import Privilege
from talkwire.kernel.errors import Invalid, NotAllowed, NotFound
from talkwire.protocol.routing import (
    SetAgentState,
    SubscribeAgentsState,
    SubscribeRoutingTasks,
    UpdateRingState,
    UpdateRoutingTaskSubscription,
)
from talkwire.routing.model import Availability, RingState

STATE_TEXT = "Agent state updated successfully"
RING_TEXT = "Ring state updated successfully"


async def set_agent_state(services: Services, call: Call, body: SetAgentState) -> str:
    """Answer `routing.SetAgentState` with 202."""
    try:
        availability = Availability(body.availability)
    except ValueError:
        raise Invalid("availability is ONLINE, OCCUPIED, AWAY, BACK_SOON or OFFLINE") from None
    _check_own(call, body.agent_user_id)
    channels = [body.channels] if isinstance(body.channels, str) else body.channels or ["MESSAGING"]
    await services.routing.set_agent_state(
        call.who, availability, tuple(dict.fromkeys(channels))[:8], (body.description or "")[:256]
    )
    return STATE_TEXT


async def update_ring(services: Services, call: Call, body: UpdateRingState) -> str:
    """Answer `routing.UpdateRingState` with 202: exactly one acceptance wins."""
    if body.ring_state not in (RingState.ACCEPTED, RingState.REJECTED):
        raise Invalid("ringState is ACCEPTED or REJECTED")
    await services.routing.update_ring(call.who, body.ring_id, RingState(body.ring_state))
    return RING_TEXT


async def subscribe_tasks(_services: Services, call: Call, body: SubscribeRoutingTasks) -> dict[str, str]:
    """Answer `routing.SubscribeRoutingTasks`; the rings that wait follow."""
    check_brand_filter(call, body.brand_id)
    _check_own(call, body.agent_id)
    return {"subscriptionId": call.connection.follow_routing_tasks()}


async def update_task_subscription(
    _services: Services, call: Call, body: UpdateRoutingTaskSubscription
) -> str:
    """Answer `routing.UpdateRoutingTaskSubscription`: there is nothing to filter by."""
    if not call.connection.has_routing_subscription(body.subscription_id):
        raise NotFound("No such subscription")
    return "OK Subscription updated successfully"


async def subscribe_agent_state(services: Services, call: Call, body: SubscribeAgentsState) -> dict[str, str]:
    """Answer `routing.SubscribeAgentsState`: one's own state, or with a manager's sight another's."""
    check_brand_filter(call, body.brand_id)
    who = call.who
    wanted = body.agent_id
    agent_id, old_id = str(who.id), who.old_id
    if wanted and wanted not in (who.id, who.old_id):
        agent = await services.agents.find_agent(who.account_id, wanted)
        if agent is None or not who.may(Privilege.SEE_ALL_CONVERSATIONS):
            raise NotFound("No such agent")
        agent_id, old_id = agent.id, agent.old_id
    return {"subscriptionId": call.connection.follow_agent_state(agent_id, old_id)}


def _check_own(call: Call, agent_id: str | None) -> None:
    """One speaks for oneself only. Bare user ids count too."""
    who = call.who
    if agent_id and agent_id not in (who.id, who.old_id, who.old_id.rpartition(".")[2]):
        raise NotAllowed("That is another agent")
