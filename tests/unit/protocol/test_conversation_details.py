"""Conversations as notifications show them. Source: docs/protocol.md 6.3, 6.4."""

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkwire.conversations.model import (
    Campaign,
    CloseReason,
    Conversation,
    Csat,
    Delay,
    Dialog,
    DialogType,
    Participant,
    ParticipantState,
    Role,
    State,
    Ttr,
    TtrType,
)
from talkwire.conversations.views import DialogLog, View
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId, SkillId
from talkwire.protocol.codec import encode
from talkwire.protocol.conversation_details import conversation_result
from talkwire.protocol.envelope import Dialect
from told import Told

CONSUMER = Participant(ParticipantId("jo"), Role.CONSUMER, "jo")
TALK = Conversation(
    account_id=AccountId("1"),
    conversation_id=ConversationId("c"),
    consumer_id=CONSUMER.id,
    version=1,
    created_at_ms=1_000,
    updated_at_ms=2_000,
    ttr=Ttr(TtrType.NORMAL, 1200),
    participants=(CONSUMER,),
    dialogs=(Dialog(DialogId("c"), DialogType.MAIN, 1_000, 2_000),),
    skill_id=SkillId("7"),
)


def agent(number: int, role: Role, state: ParticipantState = ParticipantState.ACTIVE) -> Participant:
    return Participant(ParticipantId(f"pid-{number}"), role, f"1.{number}", state)


def shown(
    talk: Conversation, dialect: Dialect, log: DialogLog | None = None, *, sees_private: bool = True
) -> dict[str, Any]:
    logs = {dialog.dialog_id: DialogLog() for dialog in talk.dialogs}
    if log is not None:
        logs[talk.main.dialog_id] = log
    found: dict[str, Any] = json.loads(
        encode(conversation_result(View(talk, logs), dialect, sees_private=sees_private))
    )
    return found


def changed(**members: Any) -> Conversation:
    return msgspec.structs.replace(TALK, **members)


def test_the_names_are_spelled_as_clients_read_them() -> None:
    result = shown(TALK, Dialect.V3)
    assert result.keys() == {
        "convId", "effectiveTTR", "lastUpdateTime", "numberOfunreadMessages", "conversationDetails",
    }  # fmt: skip
    assert result["conversationDetails"].keys() == {
        "convId", "skillId", "brandId", "state", "stage", "startTs", "metaDataLastUpdateTs", "firstConversation",
        "participants", "dialogs", "ttr", "csatRate", "note", "context", "conversationHandlerDetails",
    }  # fmt: skip
    assert result["conversationDetails"]["dialogs"][0].keys() == {
        "dialogId", "conversationId", "dialogType", "channelType", "state", "creationTs", "metaDataLastUpdateTs",
        "participantsDetails",
    }  # fmt: skip


def test_a_closed_conversation_says_when_how_and_by_whom() -> None:
    dialog = msgspec.structs.replace(
        TALK.main, state=State.CLOSE, closed_at_ms=9, closed_by=CloseReason.AGENT, closed_cause="done"
    )
    closed = changed(
        dialogs=(dialog,),
        state=State.CLOSE,
        stage=State.CLOSE,
        closed_at_ms=9,
        close_reason=CloseReason.AGENT,
    )
    details = shown(closed, Dialect.V2)["conversationDetails"]
    assert (details["endTs"], details["closeReason"]) == (9, "AGENT")
    assert {name: details["dialogs"][0][name] for name in ("endTs", "closedBy", "closedCause")} == {
        "endTs": 9,
        "closedBy": "AGENT",
        "closedCause": "done",
    }
    assert shown(closed, Dialect.V2)["effectiveTTR"] == -1


@pytest.mark.parametrize("dialect", Dialect)
def test_a_survey_says_which_app_asks_and_no_other_dialog_does(dialect: Dialect) -> None:
    survey = Dialog(DialogId("s"), DialogType.POST_SURVEY, 3_000, 3_000, app_install_id="survey-app")
    main, asked = shown(changed(dialogs=(TALK.main, survey)), dialect)["conversationDetails"]["dialogs"]
    assert asked["metaData"] == {"appInstallId": "survey-app"}
    assert "metaData" not in main


def test_what_is_optional_is_told_where_there_is_any() -> None:
    full = changed(
        csat=Csat(5, True, "FILLED"),
        delay=Delay("NIGHT", 77),
        manual_ettr_ms=88,
        campaign=Campaign("1", "2"),
        topic="shoes",
        note="VIP",
    )
    details = shown(full, Dialect.V3)["conversationDetails"]
    assert details["csatRate"] == 5
    assert details["csat"] == {"csatRate": 5, "csatResolutionConfirmation": True, "status": "FILLED"}
    assert details["delay"] == {"type": "NIGHT", "tillWhen": 77}
    assert details["manualETTR"] == 88
    assert details["campaignInfo"] == {"campaignId": "1", "engagementId": "2"}
    assert (details["topic"], details["note"]) == ("shoes", "VIP")
    for_consumer = shown(full, Dialect.V3, sees_private=False)["conversationDetails"]
    assert for_consumer["note"] == ""
    assert "topic" not in for_consumer


def test_a_skipped_rating_is_zero() -> None:
    details = shown(changed(csat=Csat(None, None, "SKIPPED")), Dialect.V3)["conversationDetails"]
    assert (details["csatRate"], details["csat"]) == (0, {"status": "SKIPPED"})


def test_private_content_is_neither_counted_nor_shown_to_consumers() -> None:
    log = DialogLog()
    log.recent.append((0, "pid-1", True))
    log.recent.append((1, "pid-1", False))
    talk = changed(participants=(CONSUMER, agent(1, Role.MANAGER), agent(2, Role.READER)))
    assert shown(talk, Dialect.V3, log)["numberOfunreadMessages"] == {"jo": 1, "pid-1": 0, "pid-2": 2}
    for_consumer = shown(talk, Dialect.V3, log, sees_private=False)
    assert for_consumer["numberOfunreadMessages"] == {"jo": 1, "pid-1": 0, "pid-2": 1}
    assert "lastContentEventNotification" not in for_consumer


def test_what_was_said_last_is_told_in_full() -> None:
    log = DialogLog()
    log.last_content = Told(sequence=9, audience="AGENTS_AND_MANAGERS")
    log.last_public_content = Told(sequence=8)
    last = "lastContentEventNotification"
    assert shown(TALK, Dialect.V2, log)[last]["sequence"] == 9
    assert shown(TALK, Dialect.V2, log)[last]["originatorPId"] == "pid"
    assert shown(TALK, Dialect.V3, log, sees_private=False)[last]["sequence"] == 8


def test_suggested_agents_are_told_on_v2_1_only_and_last() -> None:
    suggested = agent(2, Role.ASSIGNED_AGENT, ParticipantState.SUGGESTED)
    talk = changed(participants=(CONSUMER, agent(1, Role.ASSIGNED_AGENT), suggested))
    states = {
        dialect: [
            p["state"]
            for p in shown(talk, dialect)["conversationDetails"]["dialogs"][0]["participantsDetails"]
        ]
        for dialect in Dialect
    }
    assert states == {
        Dialect.V2: ["ACTIVE", "ACTIVE"],
        Dialect.V2_1: ["ACTIVE", "ACTIVE", "SUGGESTED"],
        Dialect.V3: ["ACTIVE", "ACTIVE"],
    }


@pytest.mark.parametrize("dialect", [Dialect.V2, Dialect.V2_1])
def test_a_role_that_is_only_suggested_is_a_key_of_both_maps(dialect: Dialect) -> None:
    talk = changed(participants=(CONSUMER, agent(2, Role.ASSIGNED_AGENT, ParticipantState.SUGGESTED)))
    details = shown(talk, dialect)["conversationDetails"]
    assert details["participants"]["ASSIGNED_AGENT"] == details["participantsPId"]["ASSIGNED_AGENT"] == []


brand_roles = st.sampled_from([role for role in Role if role is not Role.CONSUMER])


@given(st.lists(brand_roles, max_size=8), st.integers(0, 2), st.sampled_from([Dialect.V2, Dialect.V2_1]))
def test_the_nth_participant_of_a_role_is_the_nth_pid_of_that_role(
    roles: list[Role], suggested: int, dialect: Dialect
) -> None:
    """The SDK replaces ids by their position; older versions throw. Source: docs/protocol.md 6.4."""
    people = [agent(number, role) for number, role in enumerate(roles)]
    people += [agent(90 + n, Role.ASSIGNED_AGENT, ParticipantState.SUGGESTED) for n in range(suggested)]
    details = shown(changed(participants=(CONSUMER, *people)), dialect)["conversationDetails"]
    pid_of = {person.old_id: person.id for person in people} | {"jo": "jo"}
    for dialog in details["dialogs"]:
        position: Counter[str] = Counter()
        for one in dialog["participantsDetails"]:
            pids = details["participantsPId"][one["role"]]
            if one["state"] == "ACTIVE":
                assert pids[position[one["role"]]] == pid_of[one["id"]]
            else:
                assert position[one["role"]] >= len(pids)
            position[one["role"]] += 1
    assert details["participants"].keys() == details["participantsPId"].keys()
    for role, old_ids in details["participants"].items():
        assert [pid_of[old_id] for old_id in old_ids] == details["participantsPId"][role]
