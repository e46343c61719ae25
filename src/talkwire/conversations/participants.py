"""Who comes and goes in a conversation: pure changes of its participants.

That at most one agent is assigned is asked once all changes of a request are applied
(`check_one_assigned`): a take-over adds the new agent before it removes the old one.
Source: docs/protocol.md 5.5, ParticipantsChange; Appendix A10 to A12.
"""

import msgspec

from talkwire.conversations.errors import AgentAlreadyAssigned, FieldInvalid, ParticipantAbsent
from talkwire.conversations.model import Conversation, Participant, ParticipantState, Role, State
from talkwire.conversations.rules import waiting
from talkwire.kernel.ids import ParticipantId

BRAND_ROLES = frozenset({Role.ASSIGNED_AGENT, Role.MANAGER, Role.READER, Role.CONTROLLER, Role.AGENT})


def add_participant(conversation: Conversation, participant: Participant, now_ms: int) -> Conversation:
    """Let somebody take part; who is there already in that role changes nothing. Raises FieldInvalid.

    One who is suggested as the assigned agent and joins as such has accepted.
    """
    _check_brand_role(participant.role)
    if participant.role in conversation.roles_of(participant.id):
        return conversation
    joined = msgspec.structs.replace(participant, state=ParticipantState.ACTIVE, suggested_at_ms=0)
    others = conversation.participants
    if participant.role is Role.ASSIGNED_AGENT:
        others = _without_suggestions(others)
    return _with(conversation, (*others, joined), now_ms)


def remove_participant(
    conversation: Conversation, participant_id: ParticipantId, role: Role, now_ms: int
) -> Conversation:
    """Let somebody go from one role, or withdraw a suggestion. Raises ParticipantAbsent, FieldInvalid."""
    _check_brand_role(role)
    left = tuple(p for p in conversation.participants if (p.id, p.role) != (participant_id, role))
    if len(left) == len(conversation.participants):
        raise ParticipantAbsent
    return _with(conversation, left, now_ms)


def change_role(conversation: Conversation, participant: Participant, now_ms: int) -> Conversation:
    """Give somebody who takes part another role, in place of those held. Raises ParticipantAbsent."""
    _check_brand_role(participant.role)
    roles = conversation.roles_of(participant.id)
    if not roles:
        raise ParticipantAbsent
    if roles == (participant.role,):
        return conversation
    others = tuple(p for p in conversation.participants if p.id != participant.id)
    return add_participant(msgspec.structs.replace(conversation, participants=others), participant, now_ms)


def suggest(conversation: Conversation, agent: Participant, now_ms: int) -> Conversation:
    """Offer the conversation to one agent; an earlier suggestion of another is withdrawn.

    Whoever is assigned stays so until the suggested agent accepts. Raises FieldInvalid.
    """
    if agent.role is not Role.ASSIGNED_AGENT:
        raise FieldInvalid("Only an assigned agent can be suggested")
    if Role.ASSIGNED_AGENT in conversation.roles_of(agent.id):
        return conversation
    if any(p.id == agent.id for p in conversation.suggested_agents):
        return conversation
    suggested = msgspec.structs.replace(agent, state=ParticipantState.SUGGESTED, suggested_at_ms=now_ms)
    return _with(conversation, (*_without_suggestions(conversation.participants), suggested), now_ms)


def accept(conversation: Conversation, agent: Participant, now_ms: int) -> Conversation:
    """The agent takes an offer: it is assigned, in place of whoever suggested it and still was.

    Only for one who is suggested, or for a conversation that waits. Raises AgentAlreadyAssigned.
    """
    assigned = conversation.assigned_agent
    if assigned is not None and assigned.id == agent.id:
        return conversation
    is_suggested = any(p.id == agent.id for p in conversation.suggested_agents)
    if (assigned is not None or conversation.suggested_agents) and not is_suggested:
        raise AgentAlreadyAssigned
    others = tuple(p for p in conversation.participants if p is not assigned)
    return add_participant(msgspec.structs.replace(conversation, participants=others), agent, now_ms)


def reject(conversation: Conversation, agent_id: ParticipantId, now_ms: int) -> Conversation:
    """A suggested agent will not have it, or did not answer: back to the queue. Raises ParticipantAbsent."""
    if all(p.id != agent_id for p in conversation.suggested_agents):
        raise ParticipantAbsent
    left = tuple(
        p for p in conversation.participants if p.id != agent_id or p.state is not ParticipantState.SUGGESTED
    )
    return _with(conversation, left, now_ms)


def depart(conversation: Conversation, agent_id: ParticipantId, now_ms: int) -> Conversation:
    """Without an agent who works here no more, in whatever role or only suggested; the same object if it is not there.

    What it was assigned goes back to the queue. What is closed stays as it was.
    """
    left = tuple(p for p in conversation.participants if p.id != agent_id)
    if conversation.state is not State.OPEN or len(left) == len(conversation.participants):
        return conversation
    return _with(conversation, left, now_ms)


def check_one_assigned(conversation: Conversation) -> None:
    """Raises AgentAlreadyAssigned when two agents have it. Source: docs/protocol.md, Appendix A11."""
    assigned = [
        p
        for p in conversation.participants
        if p.role is Role.ASSIGNED_AGENT and p.state is ParticipantState.ACTIVE
    ]
    if len(assigned) > 1:
        raise AgentAlreadyAssigned


def _with(conversation: Conversation, participants: tuple[Participant, ...], now_ms: int) -> Conversation:
    ordered = tuple(sorted(participants, key=lambda p: p.state is ParticipantState.SUGGESTED))
    after = waiting(msgspec.structs.replace(conversation, participants=ordered), now_ms)
    assigned = after.assigned_agent
    return msgspec.structs.replace(after, last_agent_id=assigned.id) if assigned else after


def _without_suggestions(participants: tuple[Participant, ...]) -> tuple[Participant, ...]:
    return tuple(p for p in participants if p.state is not ParticipantState.SUGGESTED)


def _check_brand_role(role: Role) -> None:
    if role not in BRAND_ROLES:
        raise FieldInvalid(f"Nobody joins or leaves as {role}")
