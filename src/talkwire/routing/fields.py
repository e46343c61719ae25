"""The fields of a conversation: what a request's items make of it, in their order, all or none. Pure.

Source: docs/protocol.md 5.5.
"""

from collections.abc import Sequence
from typing import NamedTuple

from talkwire.conversations import participants, rules
from talkwire.conversations.errors import FieldInvalid
from talkwire.conversations.model import CloseReason, Conversation, Participant, Role, State, Survey
from talkwire.identity.model import Principal
from talkwire.routing.model import (
    ChangeType,
    CloseConversation,
    CloseDialog,
    CsatChange,
    DelayChange,
    FieldChange,
    ManualEttrChange,
    NoteChange,
    ParticipantsChange,
    SkillChange,
    TopicChange,
    TtrChange,
)
from talkwire.routing.permissions import check_may_change, standing

GENERIC_TEXT = "OK Conversation field updated successfully"
RESOLVED_TEXT = "OK Conversation resolved successfully"
PARTICIPANT_TEXTS = {
    ChangeType.ADD: "OK Agent added successfully",
    ChangeType.REMOVE: "OK Agent removed successfully",
    ChangeType.UPDATE: "OK Agent updated successfully",
    ChangeType.SUGGEST: "OK Agent suggested successfully",
    ChangeType.ACCEPT: "OK Agent added successfully",
    ChangeType.REJECT: "OK Agent removed successfully",
}
MAX_CHANGES = 50
"""Items of one request."""


class Item(NamedTuple):
    """One change, with the agent it is about when it is about one."""

    change: FieldChange
    subject: Participant | None = None


class Asked(NamedTuple):
    """A whole request."""

    who: Principal
    items: Sequence[Item]
    now_ms: int
    survey: Survey | None = None  # of the account, when it has one


def check_changes(changes: Sequence[FieldChange]) -> None:
    """Refuse a request with nothing in it, or with far too much. Raises FieldInvalid."""
    if not changes:
        raise FieldInvalid("conversationField is missing")
    if len(changes) > MAX_CHANGES:
        raise FieldInvalid(f"More than {MAX_CHANGES} conversation fields")


def apply_all(before: Conversation, asked: Asked, *, holds_ring: bool) -> Conversation:
    """The conversation after all items; the same object when they change nothing.

    Raises the refusal of the first item that is not allowed or not possible, and AgentAlreadyAssigned
    when more than one agent would have it in the end.
    """
    now = before
    for item in asked.items:
        check_may_change(standing(asked.who, before, now, holds_ring=holds_ring), item.change, item.subject)
        now = _apply(now, item, asked)
    participants.check_one_assigned(now)
    return before if now == before else now


def success_text(changes: Sequence[FieldChange], after: Conversation) -> str:
    """What the client is told: the text of the first item about participants or state."""
    for change in changes:
        if isinstance(change, ParticipantsChange):
            return PARTICIPANT_TEXTS[change.type]
        if isinstance(change, CloseConversation):
            return RESOLVED_TEXT
        if isinstance(change, CloseDialog) and after.stage is State.CLOSE:
            return RESOLVED_TEXT
    return GENERIC_TEXT


def _apply(conversation: Conversation, item: Item, asked: Asked) -> Conversation:
    change = item.change
    if isinstance(change, CsatChange):
        return rules.set_csat(conversation, change.csat)
    rules.check_not_over(conversation)
    if not _outlives_main(item, asked.who):
        rules.check_open(conversation)
    if isinstance(change, ParticipantsChange):
        assert item.subject is not None
        return _apply_to_participants(conversation, change, item.subject, asked.now_ms)
    if isinstance(change, CloseConversation):
        return rules.close(conversation, _reason(asked.who), asked.now_ms)
    if isinstance(change, CloseDialog):
        return rules.close_dialog(
            conversation,
            change.dialog_id,
            _reason(asked.who),
            asked.now_ms,
            cause=change.cause,
            survey=asked.survey,
        )
    return _set(conversation, change)


def _outlives_main(item: Item, who: Principal) -> bool:
    """Whether it may be done while a survey runs: end it, write about what was, leave; and a bot comes to ask.

    Nobody is made to answer by that. Source: docs/protocol.md 5.5, Appendix A16.
    """
    change = item.change
    if not isinstance(change, ParticipantsChange):
        return isinstance(change, CloseConversation | CloseDialog | NoteChange | TopicChange)
    if item.subject is None or item.subject.id != who.id:
        return False
    comes_to_ask = who.is_bot and change.type is ChangeType.ADD and change.role is not Role.ASSIGNED_AGENT
    return comes_to_ask or change.type is ChangeType.REMOVE


def _set(
    conversation: Conversation,
    change: SkillChange | TtrChange | NoteChange | TopicChange | ManualEttrChange | DelayChange,
) -> Conversation:
    match change:
        case SkillChange(skill_id):
            return rules.set_skill(conversation, skill_id)
        case TtrChange(ttr):
            return rules.set_ttr(conversation, ttr)
        case NoteChange(note):
            return rules.set_note(conversation, note)
        case TopicChange(topic):
            return rules.set_topic(conversation, topic)
        case ManualEttrChange(moment_ms):
            return rules.set_manual_ettr(conversation, moment_ms)
        case DelayChange(delay):
            return rules.set_delay(conversation, delay)


def _apply_to_participants(
    conversation: Conversation, change: ParticipantsChange, subject: Participant, now_ms: int
) -> Conversation:
    match change.type:
        case ChangeType.ADD:
            return participants.add_participant(conversation, subject, now_ms)
        case ChangeType.REMOVE:
            return participants.remove_participant(conversation, subject.id, change.role, now_ms)
        case ChangeType.UPDATE:
            return participants.change_role(conversation, subject, now_ms)
        case ChangeType.SUGGEST:
            return participants.suggest(conversation, subject, now_ms)
        case ChangeType.ACCEPT:
            _check_role(change.role)
            return participants.accept(conversation, subject, now_ms)
        case ChangeType.REJECT:
            _check_role(change.role)
            return participants.reject(conversation, subject.id, now_ms)


def _check_role(role: Role) -> None:
    if role is not Role.ASSIGNED_AGENT:
        raise FieldInvalid("Only an assigned agent is suggested")


def _reason(who: Principal) -> CloseReason:
    return CloseReason.CONSUMER if who.is_consumer else CloseReason.AGENT
