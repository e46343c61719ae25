"""What becomes of rings when their conversation, their agent or the clock moves on. Pure."""

from collections.abc import Sequence

import msgspec

from talkwire.conversations.model import Conversation, State
from talkwire.kernel.ids import ParticipantId
from talkwire.routing.errors import RingNotFound, RingSettled
from talkwire.routing.model import Ring, RingState, RingView


def is_waiting(ring: Ring, now_ms: int) -> bool:
    """A ring ends by the clock, whether or not anybody has written it down yet."""
    return ring.state is RingState.WAITING and now_ms < ring.expires_at_ms


def check_answer(ring: Ring | None, agent_id: ParticipantId, now_ms: int) -> Ring:
    """The ring, when this agent may still answer it. Raises RingNotFound, RingSettled."""
    if ring is None or ring.agent_id != agent_id:
        raise RingNotFound
    if not is_waiting(ring, now_ms):
        raise RingSettled
    return ring


def settle(rings: Sequence[Ring], conversation: Conversation, now_ms: int) -> list[Ring]:
    """Those waiting rings of a conversation that end by what it became, as they ended."""
    ended = [(ring, _end_of(ring, conversation, now_ms)) for ring in rings]
    return [end(ring, state, now_ms) for ring, state in ended if state is not RingState.WAITING]


def settle_without(
    rings: Sequence[Ring], conversation: Conversation, agent_id: ParticipantId, now_ms: int
) -> list[Ring]:
    """The same when one agent is not to be had any more: what it is rung for is cancelled."""
    settled = {ring.ring_id: ring for ring in settle(rings, conversation, now_ms)}
    for ring in rings:
        if ring.agent_id == agent_id and ring.ring_id not in settled:
            settled[ring.ring_id] = end(ring, RingState.CANCELLED, now_ms)
    return list(settled.values())


def end(ring: Ring, state: RingState, now_ms: int) -> Ring:
    return msgspec.structs.replace(ring, state=state, settled_at_ms=now_ms)


def view(ring: Ring, conversation: Conversation) -> RingView:
    """The ring as its agent is told of it."""
    assigned = conversation.assigned_agent
    return RingView(ring, assigned.id if assigned else None)


def _end_of(ring: Ring, conversation: Conversation, now_ms: int) -> RingState:
    assigned = conversation.assigned_agent
    if assigned is not None and assigned.id == ring.agent_id:
        return RingState.ACCEPTED
    if not is_waiting(ring, now_ms):
        return RingState.EXPIRED
    if conversation.state is not State.OPEN:
        return RingState.CANCELLED
    is_suggested = any(p.id == ring.agent_id for p in conversation.suggested_agents)
    if ring.is_transfer:
        return RingState.WAITING if is_suggested else RingState.CANCELLED
    waits = (
        conversation.queued_at_ms > 0
        and not conversation.suggested_agents
        and conversation.skill_id == ring.skill_id
    )
    return RingState.WAITING if waits else RingState.CANCELLED
