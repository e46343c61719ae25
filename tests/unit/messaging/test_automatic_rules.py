import msgspec
import pytest

from talkwire.conversations.model import Conversation, Dialog, DialogType, State, Ttr, TtrType
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId, SkillId
from talkwire.messaging.automatic_rules import (
    AutomaticMessage,
    Hours,
    OpenSpan,
    Trigger,
    asks_for_messages,
    checked,
    due,
    is_in_time,
    is_within,
    minutes_of,
    was_asked_for,
)
from talkwire.messaging.errors import AutomaticMessageInvalid

MONDAY_NOON_UTC = 1_704_110_400_000 + 7 * 86_400_000  # 2024-01-08 12:00
OFFICE = Hours((OpenSpan(("MON", "TUE", "WED", "THU", "FRI"), "09:00", "17:00"),))
CONVERSATION = Conversation(
    AccountId("1"),
    ConversationId("x"),
    ParticipantId("c"),
    version=1,
    created_at_ms=MONDAY_NOON_UTC,
    updated_at_ms=1,
    ttr=Ttr(TtrType.NORMAL, 60),
    participants=(),
    dialogs=(Dialog(DialogId("x"), DialogType.MAIN, 1, 1),),
    skill_id=SkillId("5"),
)


def message(trigger: Trigger = Trigger.CONVERSATION_OPENED, **members: object) -> AutomaticMessage:
    return AutomaticMessage("m", trigger, "Hello", **members)  # type: ignore[arg-type]


def names(*messages: AutomaticMessage, at_ms: int = MONDAY_NOON_UTC, of: Conversation = CONVERSATION) -> int:
    return len(due(messages, of, at_ms))


def test_the_first_message_is_in_time_for_ten_seconds() -> None:
    assert is_in_time(CONVERSATION, MONDAY_NOON_UTC + 9_900)
    assert is_in_time(CONVERSATION, MONDAY_NOON_UTC + 10_000)
    assert not is_in_time(CONVERSATION, MONDAY_NOON_UTC + 10_001)
    assert not is_in_time(CONVERSATION, MONDAY_NOON_UTC - 1)


def test_each_trigger_holds_when_it_should() -> None:
    again = msgspec.structs.replace(CONVERSATION, first_conversation=False)
    night = MONDAY_NOON_UTC + 10 * 3_600_000
    assert names(message()) == 1
    assert names(message(Trigger.FIRST_CONVERSATION)) == 1
    assert names(message(Trigger.FIRST_CONVERSATION), of=again) == 0
    away = message(Trigger.OUTSIDE_HOURS, hours=OFFICE)
    assert (names(away), names(away, at_ms=night)) == (0, 1)
    here = message(hours=OFFICE)
    assert (names(here), names(here, at_ms=night)) == (1, 0)


def test_messages_may_be_for_some_skills_or_switched_off() -> None:
    assert names(message(skill_ids=("5",)), message(skill_ids=("6",)), message(enabled=False)) == 1


def test_a_closed_conversation_gets_none() -> None:
    closed = msgspec.structs.replace(CONVERSATION.dialogs[0], state=State.CLOSE)
    assert names(message(), of=msgspec.structs.replace(CONVERSATION, dialogs=(closed,))) == 0


def test_hours_are_those_of_their_time_zone() -> None:
    tokyo = msgspec.structs.replace(OFFICE, time_zone="Asia/Tokyo")  # nine hours ahead
    assert is_within(OFFICE, MONDAY_NOON_UTC)
    assert not is_within(tokyo, MONDAY_NOON_UTC)
    assert is_within(tokyo, MONDAY_NOON_UTC - 12 * 3_600_000)  # midnight here is nine there


def test_hours_begin_with_their_first_minute_and_end_before_their_last() -> None:
    nine = MONDAY_NOON_UTC - 3 * 3_600_000
    assert [is_within(OFFICE, at) for at in (nine - 1, nine, nine + 8 * 3_600_000 - 1)] == [False, True, True]
    assert not is_within(OFFICE, nine + 8 * 3_600_000)
    assert not is_within(OFFICE, MONDAY_NOON_UTC - 86_400_000)  # a Sunday


@pytest.mark.parametrize(
    "bad",
    [
        AutomaticMessage(" ", Trigger.CONVERSATION_OPENED, "x"),
        AutomaticMessage("m", Trigger.CONVERSATION_OPENED, " "),
        AutomaticMessage("m", Trigger.CONVERSATION_OPENED, "x" * 8193),
        AutomaticMessage("m", Trigger.OUTSIDE_HOURS, "x"),
        message(hours=Hours(())),
        message(hours=Hours((OpenSpan(("MONDAY",), "09:00", "17:00"),))),
        message(hours=Hours((OpenSpan(("MON",), "17:00", "09:00"),))),
        message(hours=Hours((OpenSpan(("MON",), "9", "17:00"),))),
        message(hours=Hours((OpenSpan(("MON",), "09:00", "24:01"),))),
        message(hours=Hours(OFFICE.spans, "Mars/Olympus")),
    ],
)
def test_messages_that_make_no_sense_are_refused(bad: AutomaticMessage) -> None:
    with pytest.raises(AutomaticMessageInvalid):
        checked([bad])


def test_two_messages_of_one_name_and_too_many_are_refused() -> None:
    with pytest.raises(AutomaticMessageInvalid):
        checked([message(), message()])
    with pytest.raises(AutomaticMessageInvalid):
        checked([msgspec.structs.replace(message(), name=str(n)) for n in range(51)])
    assert checked([message(hours=OFFICE)])


def test_the_day_ends_at_24() -> None:
    assert minutes_of("24:00") == 1440


def test_only_properties_that_have_the_feature_ask_for_messages() -> None:
    assert asks_for_messages({"features": ["AUTO_MESSAGES", "RICH_CONTENT"]})
    for other in (None, "[object Object]", {}, {"features": "AUTO_MESSAGES"}, {"features": ["auto"]}):
        assert not asks_for_messages(other)
    assert not was_asked_for(CONVERSATION)
    context = {"clientProperties": {"features": ["AUTO_MESSAGES"]}}
    assert was_asked_for(msgspec.structs.replace(CONVERSATION, context=context))
