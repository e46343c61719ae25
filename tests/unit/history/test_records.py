from typing import Any

import msgspec
import pytest

from talkwire.conversations.model import (
    Campaign,
    CloseReason,
    Conversation,
    Csat,
    Dialog,
    DialogType,
    Participant,
    Role,
    State,
    Ttr,
    TtrType,
)
from talkwire.conversations.steps import Step, StepKind
from talkwire.history.records import record_of, time_of
from talkwire.history.search_model import EVERYTHING, AgentName, Content, Names, Past, PastEvent
from talkwire.history.turns import transfers
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId, SkillId

START = 1_704_164_645_678
OPEN = Conversation(
    AccountId("1"),
    ConversationId("x"),
    ParticipantId("c"),
    version=1,
    created_at_ms=START,
    updated_at_ms=START,
    ttr=Ttr(TtrType.NORMAL, 60),
    participants=(Participant(ParticipantId("c"), Role.CONSUMER),),
    dialogs=(Dialog(DialogId("x"), DialogType.MAIN, START, START),),
    queued_at_ms=START,
)
NAMES = Names({"a": AgentName("7", "a", "ann@x", "Ann", "Ann A.")}, {"5": "sales"})


def event(sequence: int, said: object, kind: str = "content", **members: Any) -> PastEvent:
    shared = {"originator_id": "c", "role": "CONSUMER", "audience": "ALL", "metadata": None}
    raw = msgspec.json.encode(said)
    return PastEvent("x", sequence, START + sequence, kind, event=raw, **{**shared, **members})


def record(past: Past, *wanted: Content) -> dict[str, Any]:
    return record_of(past, NAMES, frozenset(wanted) or EVERYTHING, START + 5000)


def message(said: object, kind: str = "content", **members: Any) -> dict[str, Any]:
    past = Past(OPEN, events=(event(0, said, kind, **members),))
    [found] = record(past, Content.MESSAGE_RECORDS)["messageRecords"]
    assert isinstance(found, dict)
    return found


def test_times_are_written_as_clients_read_them() -> None:
    assert time_of(START) == "2024-01-02 03:04:05.678+0000"


def test_an_open_conversation_has_no_end_and_lasts_until_now() -> None:
    info = record(Past(OPEN))["info"]
    assert (info["status"], info["endTime"], info["endTimeL"], info["duration"]) == ("OPEN", "", 0, 5000)
    assert (info["latestAgentId"], info["latestSkillId"], info["latestSkillName"]) == ("", -1, "Unassigned")
    assert info["latestQueueState"] == "IN_QUEUE"


def test_a_closed_one_says_how_it_ended_and_who_had_it() -> None:
    closed = msgspec.structs.replace(
        OPEN,
        state=State.CLOSE,
        stage=State.CLOSE,
        closed_at_ms=START + 60_000,
        close_reason=CloseReason.AGENT,
        skill_id=SkillId("5"),
        last_agent_id=ParticipantId("a"),
        csat=Csat(4, resolution_confirmed=True),
        campaign=Campaign("c1", "e1"),
        context={"clientProperties": {"deviceFamily": "MOBILE", "os": 5}},
        queued_at_ms=0,
    )
    found = record(Past(closed))
    info = found["info"]
    assert (info["status"], info["closeReason"], info["duration"]) == ("CLOSE", "AGENT", 60_000)
    assert (info["latestAgentId"], info["latestAgentNickname"], info["latestSkillName"]) == (
        "7",
        "Ann",
        "sales",
    )
    assert (info["device"], info["operatingSystem"], info["csatRate"]) == ("MOBILE", "NA", 4)
    assert found["campaign"] == {"campaignId": "c1", "campaignEngagementId": "e1"}
    assert [q["answer"] for q in found["conversationSurveys"][0]["surveyData"]] == ["4", "Yes"]


def test_an_agent_who_is_gone_is_named_by_its_id_alone() -> None:
    info = record(Past(msgspec.structs.replace(OPEN, last_agent_id=ParticipantId("gone"))))["info"]
    assert (info["latestAgentId"], info["agentDeleted"], info["latestAgentNickname"]) == ("gone", True, "")


def test_texts_files_rich_content_and_forms_have_types_of_their_own() -> None:
    text = {"type": "ContentEvent", "contentType": "text/plain", "message": "hi"}
    assert message(text)["messageData"] == {"msg": {"text": "hi"}}
    file = {"relativePath": "/v1/x", "fileType": "PNG", "preview": "data:x"}
    shown = message({"contentType": "hosted/file", "message": file}, "file")
    assert (shown["type"], shown["messageData"]["file"]) == (
        "HOSTED_FILE",
        {"relativePath": "/v1/x", "fileType": "PNG", "caption": "", "preview": "data:x"},
    )
    rich = message({"content": {"type": "text"}, "quickReplies": {"replies": []}}, "rich")
    assert rich["type"] == "RICH_CONTENT"
    assert rich["messageData"]["richContent"] == {"content": '{"type":"text"}'}
    assert rich["messageData"]["quickReplies"] == {"content": '{"replies":[]}'}
    form = message({"contentType": "forms/secure-invitation", "message": {"formId": "f"}})
    assert (form["type"], form["messageData"]) == (
        "SECURE_FORM_INVITATION",
        {"secureFormInvitation": {"formId": "f"}},
    )


def test_what_erasing_left_is_shown_as_it_stands() -> None:
    masked = message({"contentType": "hosted/file", "message": "*** LP deleted data ***"}, "file")
    assert masked["messageData"] == {"msg": {"text": "*** LP deleted data ***"}}
    assert message({"content": "*** LP deleted data ***"}, "rich")["type"] == "RICH_CONTENT"


@pytest.mark.parametrize(
    ("role", "sent_by"),
    [
        ("CONSUMER", "Consumer"),
        ("ASSIGNED_AGENT", "Agent"),
        ("MANAGER", "Manager"),
        ("CONTROLLER", "Controller"),
    ],
)
def test_each_message_says_who_sent_it(role: str, sent_by: str) -> None:
    found = message({"message": "x"}, role=role, originator_id="a", metadata=b'[{"type":"x"}]')
    assert (found["sentBy"], found["participantId"]) == (sent_by, "7")
    assert found["contextData"]["rawMetadata"] == '[{"type":"x"}]'


def test_a_status_is_told_for_each_message_it_names() -> None:
    past = Past(
        OPEN,
        events=(
            event(0, {"message": "x"}),
            event(1, {"status": "READ", "sequenceList": [0, 5]}, "accept"),
            event(2, {"status": "ACCEPT", "sequenceList": 0}, "accept"),
        ),
    )
    found = record(past, Content.MESSAGE_STATUSES, Content.MESSAGE_RECORDS)
    assert [(s["seq"], s["messageDeliveryStatus"]) for s in found["messageStatuses"]] == [
        (0, "READ"),
        (5, "READ"),
        (0, "ACCEPT"),
    ]
    assert len(found["messageRecords"]) == 1


def step(kind: StepKind, version: int, agent: str = "", skill: str = "-1") -> Step:
    return Step(kind, version, START + version, skill, agent, "ASSIGNED_AGENT" if agent else "")


def told(*steps: Step) -> list[tuple[str, str, str, str]]:
    return [
        (t.reason, t.source_agent_id, t.target_agent_id, t.target_skill_id)
        for t in transfers(Past(OPEN, tuple(steps)))
    ]


def test_each_way_of_changing_hands_has_its_reason() -> None:
    came = step(StepKind.JOINED, 2, "a")
    left = step(StepKind.LEFT, 3, "a")
    assert told(step(StepKind.SKILL, 1, skill="5"), step(StepKind.JOINED, 2, "a", "5")) == []
    assert told(came, left) == [("Back2Q", "a", "", "-1")]
    assert told(came, left, step(StepKind.JOINED, 3, "b")) == [("TakeOver", "a", "b", "-1")]
    assert told(came, left, step(StepKind.SUGGESTED, 3, "b")) == [("Agent", "a", "b", "-1")]
    skill = [step(StepKind.SKILL, 3, skill="5"), step(StepKind.LEFT, 3, "a", "5")]
    assert told(came, *skill) == [("Skill", "a", "", "5")]
    assert told(step(StepKind.SKILL, 2, skill="5")) == [("Skill", "", "", "5")]


def test_an_interaction_is_the_first_word_of_each_turn() -> None:
    agent = {"role": "ASSIGNED_AGENT", "originator_id": "a"}
    said = {"message": "x"}
    events = (
        event(0, said),
        event(1, said, **agent),
        event(2, said, **agent),
        event(3, said),
        event(4, said, audience="AGENTS_AND_MANAGERS", **agent),
        event(5, said, **agent),
    )
    found = record(Past(OPEN, events=events), Content.INTERACTIONS)["interactions"]
    assert [(i["interactiveSequence"], i["interactionTimeL"]) for i in found] == [
        (1, START + 1),
        (2, START + 5),
    ]
