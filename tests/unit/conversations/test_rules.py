"""Opening, changing, closing; who comes and goes: decided without a database."""

import pytest

from talkwire.conversations import participants, rules
from talkwire.conversations.errors import (
    AgentAlreadyAssigned,
    ConversationClosed,
    FieldInvalid,
    ParticipantAbsent,
    StillOpen,
)
from talkwire.conversations.model import (
    CloseReason,
    Conversation,
    Dialog,
    DialogType,
    NewConversation,
    Participant,
    ParticipantState,
    Role,
    State,
    Survey,
    Ttr,
    TtrType,
)
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId

NOW = 1000


def agent(name: str, role: Role = Role.ASSIGNED_AGENT) -> Participant:
    return Participant(ParticipantId(name), role, old_id=f"old {name}")


def opened(by: Participant | None = None) -> Conversation:
    new = NewConversation(
        account_id=AccountId("1"), consumer_id=ParticipantId("c"), ttr=Ttr(TtrType.NORMAL, 600), agent=by
    )
    return rules.new_conversation(new, ConversationId("conv"), NOW, is_first=True)


def test_a_new_conversation_has_its_main_dialog_and_its_consumer_and_waits() -> None:
    conversation = opened()
    assert str(conversation.main.dialog_id) == conversation.conversation_id
    assert [p.role for p in conversation.participants] == [Role.CONSUMER]
    assert conversation.queued_at_ms == NOW
    assert conversation.version == 1


def test_one_that_an_agent_opened_is_the_agents_and_does_not_wait() -> None:
    conversation = opened(by=agent("a"))
    assert conversation.assigned_agent == agent("a")
    assert (conversation.queued_at_ms, conversation.last_agent_id) == (0, "a")


def test_only_a_closed_conversation_is_resumed_and_the_depth_counts() -> None:
    with pytest.raises(StillOpen):
        rules.resume_depth(opened())
    closed = rules.close(opened(), CloseReason.SYSTEM, NOW)
    assert rules.resume_depth(closed) == 1


def test_a_record_never_goes_back_in_time() -> None:
    before = opened()
    after = rules.next_version(before, rules.set_note(before, "n"), NOW - 500)
    assert (after.version, after.updated_at_ms) == (2, NOW)


def test_closing_forgets_suggestions_and_leaves_the_queue() -> None:
    suggested = participants.suggest(opened(), agent("a"), NOW)
    closed = rules.close(suggested, CloseReason.TIMEOUT, NOW + 1)
    assert closed.suggested_agents == ()
    assert closed.queued_at_ms == 0
    with pytest.raises(ConversationClosed):
        rules.close(closed, CloseReason.AGENT, NOW)


def test_closing_everything_while_a_survey_runs_keeps_the_first_reason() -> None:
    running = rules.close_dialog(
        opened(), "conv", CloseReason.AGENT, NOW, survey=Survey(DialogId("survey"), "app")
    )
    assert (running.state, running.stage) == (State.CLOSE, State.OPEN)
    closed = rules.close(running, CloseReason.CONSUMER, NOW + 1)
    assert closed.close_reason is CloseReason.AGENT
    assert [d.closed_by for d in closed.dialogs] == [CloseReason.AGENT, CloseReason.CONSUMER]


def test_closing_a_side_dialog_leaves_the_conversation_open() -> None:
    main = opened()
    side = Dialog(DialogId("side"), DialogType.AGENTS, created_at_ms=NOW, updated_at_ms=NOW)
    two = Conversation(
        **{f: getattr(main, f) for f in main.__struct_fields__} | {"dialogs": (main.main, side)}
    )
    after = rules.close_dialog(two, "side", CloseReason.AGENT, NOW)
    assert (after.state, after.stage) == (State.OPEN, State.OPEN)


def test_who_is_active_is_listed_before_who_is_suggested() -> None:
    conversation = participants.suggest(opened(), agent("a"), NOW)
    conversation = participants.add_participant(conversation, agent("m", Role.MANAGER), NOW)
    assert [p.state for p in conversation.participants] == [
        ParticipantState.ACTIVE,
        ParticipantState.ACTIVE,
        ParticipantState.SUGGESTED,
    ]


def test_assignment_ends_the_wait_and_letting_go_begins_a_new_one() -> None:
    held = participants.add_participant(opened(), agent("a"), NOW + 5)
    assert held.queued_at_ms == 0
    free = participants.remove_participant(held, ParticipantId("a"), Role.ASSIGNED_AGENT, NOW + 9)
    assert (free.queued_at_ms, free.last_agent_id) == (NOW + 9, "a")


def test_a_manager_who_comes_and_goes_does_not_move_the_place_in_the_queue() -> None:
    joined = participants.add_participant(opened(), agent("m", Role.MANAGER), NOW + 5)
    assert joined.queued_at_ms == NOW
    left = participants.remove_participant(joined, ParticipantId("m"), Role.MANAGER, NOW + 9)
    assert left.queued_at_ms == NOW


def test_a_new_suggestion_withdraws_the_earlier_one() -> None:
    conversation = participants.suggest(opened(), agent("a"), NOW)
    conversation = participants.suggest(conversation, agent("b"), NOW)
    assert [p.id for p in conversation.suggested_agents] == ["b"]


def test_suggesting_who_has_it_or_is_suggested_changes_nothing() -> None:
    held = opened(by=agent("a"))
    assert participants.suggest(held, agent("a"), NOW) is held
    once = participants.suggest(held, agent("b"), NOW)
    assert participants.suggest(once, agent("b"), NOW + 5) is once


def test_accepting_a_suggestion_takes_over_from_who_had_it() -> None:
    conversation = participants.suggest(opened(by=agent("a")), agent("b"), NOW)
    after = participants.accept(conversation, agent("b"), NOW)
    assert [p.id for p in after.participants] == ["c", "b"]
    participants.check_one_assigned(after)


def test_nobody_accepts_what_another_has_or_is_suggested_for() -> None:
    for taken in (opened(by=agent("a")), participants.suggest(opened(), agent("a"), NOW)):
        with pytest.raises(AgentAlreadyAssigned):
            participants.accept(taken, agent("b"), NOW)


def test_accepting_what_one_has_changes_nothing() -> None:
    held = opened(by=agent("a"))
    assert participants.accept(held, agent("a"), NOW) is held


def test_two_assigned_agents_are_one_too_many() -> None:
    two = participants.add_participant(opened(by=agent("a")), agent("b"), NOW)
    with pytest.raises(AgentAlreadyAssigned):
        participants.check_one_assigned(two)


def test_another_role_replaces_those_held() -> None:
    joined = participants.add_participant(opened(), agent("m", Role.MANAGER), NOW)
    changed = participants.change_role(joined, agent("m", Role.READER), NOW)
    assert changed.roles_of("m") == (Role.READER,)
    assert participants.change_role(changed, agent("m", Role.READER), NOW) is changed
    with pytest.raises(ParticipantAbsent):
        participants.change_role(opened(), agent("m", Role.READER), NOW)


@pytest.mark.parametrize("role", [Role.CONSUMER])
def test_nobody_joins_or_leaves_as_the_consumer(role: Role) -> None:
    with pytest.raises(FieldInvalid):
        participants.add_participant(opened(), agent("x", role), NOW)
    with pytest.raises(FieldInvalid):
        participants.remove_participant(opened(), ParticipantId("c"), role, NOW)
    with pytest.raises(FieldInvalid):
        participants.suggest(opened(), agent("x", Role.MANAGER), NOW)


def test_rejecting_what_was_not_suggested_is_refused() -> None:
    with pytest.raises(ParticipantAbsent):
        participants.reject(opened(), ParticipantId("a"), NOW)
