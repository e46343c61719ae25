"""`conversationField` items to changes. Source: docs/protocol.md 5.5."""

from typing import Any

import msgspec
import pytest

from talkwire.conversations.model import Csat, Delay, Role, Ttr, TtrType
from talkwire.handlers.fields import field_changes
from talkwire.kernel.errors import Invalid
from talkwire.kernel.ids import DialogId, SkillId
from talkwire.protocol import codec
from talkwire.protocol.conversations import UpdateConversationField
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


def read(*items: dict[str, Any], dialog_id: str | None = None) -> list[FieldChange]:
    raw = msgspec.Raw(codec.encode({"conversationId": "c", "conversationField": list(items)}))
    return field_changes(codec.decode_body(raw, UpdateConversationField).fields, dialog_id)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"field": "ConversationStateField", "conversationState": "CLOSE"}, CloseConversation()),
        ({"field": "Stage", "conversationState": "CLOSE"}, CloseConversation()),
        ({"field": "DialogChange", "type": "UPDATE", "dialog": {"dialogId": "d", "state": "CLOSE", "closedCause": "x"}}, CloseDialog(DialogId("d"), "x")),
        ({"field": "ParticipantsChange", "type": "ADD", "role": "MANAGER"}, ParticipantsChange(ChangeType.ADD, Role.MANAGER)),
        ({"field": "ParticipantsChange", "type": "SUGGEST", "role": "ASSIGNED_AGENT", "userId": "1.2"}, ParticipantsChange(ChangeType.SUGGEST, Role.ASSIGNED_AGENT, "1.2")),
        ({"field": "Skill", "type": "UPDATE", "skill": "277"}, SkillChange(SkillId("277"))),
        ({"field": "Skill", "skill": 277}, SkillChange(SkillId("277"))),
        ({"field": "Skill", "skill": " -1 "}, SkillChange(SkillId("-1"))),
        ({"field": "TTRField", "ttrType": "URGENT", "value": "0"}, TtrChange(Ttr(TtrType.URGENT, 0))),
        ({"field": "CSATRate", "csatRate": 4}, CsatChange(Csat(4, None, "FILLED"))),
        ({"field": "CSATRate", "csatResolutionConfirmation": False, "status": "SKIPPED"}, CsatChange(Csat(None, False, "SKIPPED"))),
        ({"field": "Note", "note": "n"}, NoteChange("n")),
        ({"field": "Note"}, NoteChange("")),
        ({"field": "TopicField", "topic": "t"}, TopicChange("t")),
        ({"field": "TopicField", "topic": None}, TopicChange("")),
        ({"field": "ManualETTR", "manualETTR": 7}, ManualEttrChange(7)),
        ({"field": "ManualETTR"}, ManualEttrChange(None)),
        ({"field": "DelayField", "delay": {"type": "NIGHT", "tillWhen": 7}}, DelayChange(Delay("NIGHT", 7))),
        ({"field": "DelayField"}, DelayChange(None)),
    ],
)  # fmt: skip
def test_each_field_is_read(item: dict[str, Any], expected: FieldChange) -> None:
    assert read(item) == [expected]


@pytest.mark.parametrize(
    "item",
    [
        {"field": "Mood"},
        {"field": ""},
        {"field": "ConversationStateField"},
        {"field": "ConversationStateField", "conversationState": "OPEN"},
        {"field": "DialogChange"},
        {"field": "DialogChange", "dialog": {"state": "CLOSE"}},
        {"field": "DialogChange", "dialog": {"dialogId": "d", "state": "OPEN"}},
        {"field": "ParticipantsChange"},
        {"field": "ParticipantsChange", "type": "ADD"},
        {"field": "ParticipantsChange", "type": "ADD", "role": "BOSS"},
        {"field": "ParticipantsChange", "type": "PUSH", "role": "MANAGER"},
        {"field": "Skill"},
        {"field": "Skill", "skill": ""},
        {"field": "Skill", "skill": "sales"},
        {"field": "Skill", "skill": "-2"},
        {"field": "Skill", "skill": "12345678901"},
        {"field": "Skill", "skill": "٣"},
        {"field": "TTRField", "ttrType": "URGENT"},
        {"field": "TTRField", "ttrType": "URGENT", "value": -1},
        {"field": "TTRField", "ttrType": "SOON", "value": 1},
        {"field": "TTRField", "value": 1},
        {"field": "CSATRate", "csatRate": 4, "status": "MAYBE"},
    ],
)
def test_what_cannot_be_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        read(item)


def test_the_request_s_dialog_stands_for_one_that_is_not_named() -> None:
    assert read({"field": "DialogChange", "dialog": {"state": "CLOSE"}}, dialog_id="d") == [
        CloseDialog(DialogId("d"))
    ]


def test_changes_keep_their_order() -> None:
    changes = read(
        {"field": "Note", "note": "1"}, {"field": "Skill", "skill": 5}, {"field": "Note", "note": "2"}
    )
    assert changes == [NoteChange("1"), SkillChange(SkillId("5")), NoteChange("2")]
