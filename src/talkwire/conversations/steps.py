"""What a change of a conversation leaves for those who read its past: who came and went, under which skill. Pure.

The record says how things stand; steps say how they came about.
"""

from enum import StrEnum

import msgspec

from talkwire.conversations.model import Conversation, ParticipantState, Role
from talkwire.kernel.ids import ANY_SKILL


class StepKind(StrEnum):
    JOINED = "JOINED"
    LEFT = "LEFT"
    SUGGESTED = "SUGGESTED"  # somebody was offered the conversation by a transfer
    SKILL = "SKILL"  # another skill; `skill_id` is the new one


class Step(msgspec.Struct, frozen=True):
    """One step, of the version that it came with. Consumers have none: they come first and stay."""

    kind: StepKind
    version: int
    at_ms: int
    skill_id: str  # of the conversation after this version
    participant_id: str = ""
    role: str = ""


def steps_between(before: Conversation | None, after: Conversation) -> list[Step]:
    """What happened from one version to the next; before the first there was nobody."""
    steps: list[Step] = []
    here, gone = _present(after), _present(before) if before else {}
    if after.skill_id != (before.skill_id if before else ANY_SKILL):
        steps.append(_step(StepKind.SKILL, after))
    steps += [_step(StepKind.LEFT, after, *who) for who in gone if gone[who] and not here.get(who)]
    steps += [_step(StepKind.JOINED, after, *who) for who in here if here[who] and not gone.get(who)]
    steps += [_step(StepKind.SUGGESTED, after, *who) for who in here if not here[who] and who not in gone]
    return steps


def _present(conversation: Conversation) -> dict[tuple[str, str], bool]:
    """Who is there for the brand, in which role; True when ACTIVE, False when only suggested."""
    found: dict[tuple[str, str], bool] = {}
    for p in conversation.participants:
        if p.role is not Role.CONSUMER:
            is_active = p.state is ParticipantState.ACTIVE
            found[p.id, p.role.value] = found.get((p.id, p.role.value), False) or is_active
    return found


def _step(kind: StepKind, after: Conversation, participant_id: str = "", role: str = "") -> Step:
    return Step(kind, after.version, after.updated_at_ms, after.skill_id, participant_id, role)
