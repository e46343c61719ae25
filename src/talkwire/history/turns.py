"""What steps and events tell: who joined, how a conversation changed hands, when agents spoke. Pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from talkwire.conversations.model import Role
from talkwire.conversations.steps import Step, StepKind
from talkwire.history.search_model import Past, PastEvent
from talkwire.kernel.ids import ANY_SKILL
from talkwire.messaging.model import EventKind

ASSIGNED = Role.ASSIGNED_AGENT.value


class Joined(NamedTuple):
    agent_id: str
    role: str
    at_ms: int


class Transfer(NamedTuple):
    """How a conversation left an agent, or a skill. `reason`: Agent, Skill, Back2Q or TakeOver."""

    at_ms: int
    reason: str
    source_agent_id: str
    target_agent_id: str
    source_skill_id: str
    target_skill_id: str


def joined(past: Past) -> list[Joined]:
    """Everybody who ever took part for the brand, as often as they joined."""
    return [Joined(s.participant_id, s.role, s.at_ms) for s in past.steps if s.kind is StepKind.JOINED]


def transfers(past: Past) -> Iterator[Transfer]:
    """Each change of hands after the opening, in order."""
    agent_id, skill_id = "", str(ANY_SKILL)
    for version, grouped in groupby(past.steps, key=lambda step: step.version):
        steps = list(grouped)
        left = _about(steps, StepKind.LEFT)
        came = _about(steps, StepKind.JOINED)
        offered = _about(steps, StepKind.SUGGESTED)
        target_skill = steps[0].skill_id
        reason = _reason(left, came, offered, is_other_skill=target_skill != skill_id)
        if version > 1 and reason:
            yield Transfer(steps[0].at_ms, reason, left or agent_id, came or offered, skill_id, target_skill)
        agent_id = came or ("" if left else agent_id)
        skill_id = target_skill


def _reason(left: str, came: str, offered: str, *, is_other_skill: bool) -> str:
    if offered:
        return "Agent"
    if left and came:
        return "TakeOver"
    if is_other_skill:
        return "Skill"
    return "Back2Q" if left else ""


def _about(steps: Sequence[Step], kind: StepKind) -> str:
    """The assigned agent that a step of this kind is about."""
    return next((s.participant_id for s in steps if s.kind is kind and s.role == ASSIGNED), "")


def interactions(past: Past) -> list[PastEvent]:
    """The first word of the assigned agent each time it answers: after the consumer, or after another agent."""
    found: list[PastEvent] = []
    last = ""
    for event in past.events:
        if event.kind == EventKind.ACCEPT.value or event.audience != "ALL":
            continue
        if event.role == ASSIGNED and event.originator_id != last:
            found.append(event)
        if event.role in (ASSIGNED, Role.CONSUMER.value):
            last = event.originator_id
    return found
