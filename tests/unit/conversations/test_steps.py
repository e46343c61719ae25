import msgspec

from talkwire.conversations.model import (
    Conversation,
    Dialog,
    DialogType,
    Participant,
    ParticipantState,
    Role,
    Ttr,
    TtrType,
)
from talkwire.conversations.steps import StepKind, steps_between
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId, SkillId

CONSUMER = Participant(ParticipantId("c"), Role.CONSUMER)
AGENT = Participant(ParticipantId("a"), Role.ASSIGNED_AGENT)
OTHER = Participant(ParticipantId("b"), Role.ASSIGNED_AGENT)


def conversation(*participants: Participant, skill: str = "-1", version: int = 1) -> Conversation:
    return Conversation(
        AccountId("1"),
        ConversationId("x"),
        ParticipantId("c"),
        version,
        created_at_ms=1,
        updated_at_ms=version * 10,
        ttr=Ttr(TtrType.NORMAL, 60),
        participants=(CONSUMER, *participants),
        dialogs=(Dialog(DialogId("x"), DialogType.MAIN, 1, 1),),
        skill_id=SkillId(skill),
    )


def kinds(before: Conversation | None, after: Conversation) -> list[tuple[str, str, str]]:
    return [(s.kind.value, s.participant_id, s.skill_id) for s in steps_between(before, after)]


def test_a_consumer_alone_without_a_skill_leaves_no_step() -> None:
    assert steps_between(None, conversation()) == []


def test_an_opening_under_a_skill_by_an_agent_leaves_two() -> None:
    assert kinds(None, conversation(AGENT, skill="5")) == [("SKILL", "", "5"), ("JOINED", "a", "5")]


def test_who_goes_is_told_before_who_comes() -> None:
    before, after = conversation(AGENT), conversation(OTHER, skill="5", version=2)
    assert kinds(before, after) == [("SKILL", "", "5"), ("LEFT", "a", "5"), ("JOINED", "b", "5")]
    assert {(s.version, s.at_ms) for s in steps_between(before, after)} == {(2, 20)}


def test_a_suggested_agent_joins_when_it_accepts() -> None:
    suggested = msgspec.structs.replace(OTHER, state=ParticipantState.SUGGESTED)
    before, after = conversation(AGENT), conversation(suggested, version=2)
    assert kinds(before, after) == [("LEFT", "a", "-1"), ("SUGGESTED", "b", "-1")]
    assert kinds(after, conversation(OTHER, version=3)) == [("JOINED", "b", "-1")]
    assert kinds(after, conversation(version=3)) == []


def test_what_does_not_concern_people_or_skills_leaves_no_step() -> None:
    assert steps_between(conversation(AGENT), conversation(AGENT, version=2)) == []
    assert StepKind("JOINED") is StepKind.JOINED
