"""Rings and agent states as they are told. Source: docs/protocol.md 6.5, 6.6."""

import msgspec
import pytest

from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId, SkillId
from talkwire.protocol.routing_details import agent_state, ring_updated, routing_task
from talkwire.routing.model import AgentState, Availability, Ring, RingState, RingView

RING = Ring(
    account_id=AccountId("1"),
    ring_id="c_1_1000",
    conversation_id=ConversationId("c"),
    agent_id=ParticipantId("pid"),
    consumer_id=ParticipantId("jo"),
    skill_id=SkillId("-1"),
    state=RingState.WAITING,
    is_transfer=False,
    weight=7,
    created_at_ms=1_000,
    expires_at_ms=73_000,
)


@pytest.mark.parametrize(
    ("state", "assigned", "completed"),
    [
        (RingState.WAITING, None, False),
        (RingState.WAITING, ParticipantId("who still has it"), False),
        (RingState.ACCEPTED, ParticipantId("pid"), True),
        (RingState.CANCELLED, ParticipantId("who was faster"), True),
        (RingState.EXPIRED, None, False),
    ],
)
def test_a_routing_task_has_every_member_and_always_a_list_of_rings(
    state: RingState, assigned: ParticipantId | None, completed: bool
) -> None:
    ring = msgspec.structs.replace(RING, state=state)
    assert routing_task(RingView(ring, assigned)) == {
        "routingTaskId": "c",
        "assignedAgentId": assigned,
        "taskCompleted": completed,
        "conversationId": "c",
        "brandId": "1",
        "consumerId": "jo",
        "skillId": "-1",
        "ringsDetails": [
            {
                "ringId": "c_1_1000",
                "ringState": state,
                "ringExpiration": 72_000,
                "ringExpirationTs": 73_000,
                "weight": 7,
                "convId": "c",
                "brandId": "1",
                "consumerId": "jo",
                "skillId": "-1",
            }
        ],
    }


def test_old_bots_hear_of_a_ring_in_their_own_form() -> None:
    assert ring_updated(RingView(RING)) == {
        "ringId": "c_1_1000",
        "ringState": "WAITING",
        "convId": "c",
        "consumerId": "jo",
        "skillId": "-1",
    }


@pytest.mark.parametrize(("old_id", "told"), [("1.2", "1.2"), ("", "pid")])
def test_an_agent_state_names_the_agent_by_its_old_id(old_id: str, told: str) -> None:
    state = AgentState(
        AccountId("1"), ParticipantId("pid"), old_id, Availability.ONLINE, ("MESSAGING",), "here"
    )
    assert agent_state(state) == {
        "channels": ["MESSAGING"],
        "availability": "ONLINE",
        "description": "here",
        "agentUserId": told,
    }
