"""Rings and agent states as notifications show them. Source: docs/protocol.md 6.5, 6.6."""

from typing import Any

from talkwire.routing.model import AgentState, RingView

TASKS_V3 = "routing.RoutingTaskNotification"
TASKS_V2 = ".ams.routing.RoutingTaskNotification"
STATES_V3 = "routing.AgentStateNotification"
STATES_V2 = ".ams.routing.AgentStateNotification"
RING_UPDATED = ".ams.routing.RingUpdated"


def routing_task(view: RingView) -> dict[str, Any]:
    """The `result` of a routing task: `ringsDetails` is an array on every change."""
    ring = view.ring
    shared = {
        "brandId": ring.account_id,
        "consumerId": ring.consumer_id,
        "skillId": ring.skill_id,
    }
    return {
        "routingTaskId": view.routing_task_id,
        "assignedAgentId": view.assigned_agent_id,
        "taskCompleted": view.task_completed,
        "conversationId": ring.conversation_id,
        **shared,
        "ringsDetails": [
            {
                "ringId": ring.ring_id,
                "ringState": ring.state,
                "ringExpiration": ring.expires_at_ms - ring.created_at_ms,
                "ringExpirationTs": ring.expires_at_ms,
                "weight": ring.weight,
                "convId": ring.conversation_id,
                **shared,
            }
        ],
    }


def ring_updated(view: RingView) -> dict[str, Any]:
    """The deprecated notification's body."""
    ring = view.ring
    return {
        "ringId": ring.ring_id,
        "ringState": ring.state,
        "convId": ring.conversation_id,
        "consumerId": ring.consumer_id,
        "skillId": ring.skill_id,
    }


def agent_state(state: AgentState) -> dict[str, Any]:
    return {
        "channels": list(state.channels),
        "availability": state.availability,
        "description": state.description,
        "agentUserId": state.old_id or state.agent_id,
    }
