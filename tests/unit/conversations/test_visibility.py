"""Who may know of a conversation, and what a query means."""

import msgspec
import pytest

from routing_rooms import consumer, principal
from talkwire.conversations import participants, rules
from talkwire.conversations.model import (
    CloseReason,
    Conversation,
    ConversationQuery,
    NewConversation,
    Participant,
    Role,
    State,
    Ttr,
    TtrType,
)
from talkwire.conversations.views import DialogLog, View
from talkwire.conversations.visibility import matches, may_see
from talkwire.identity.model import Principal
from talkwire.kernel.ids import AccountId, ConversationId

NOW = 1_000_000


def opened(by: Principal) -> Conversation:
    new = NewConversation(account_id=by.account_id, consumer_id=by.id, ttr=Ttr(TtrType.NORMAL, 600))
    return rules.new_conversation(new, ConversationId("conv"), NOW, is_first=True)


def view(conversation: Conversation, owed_since_ms: int = 0, last_event_at_ms: int = 0) -> View:
    log = DialogLog(0, last_event_at_ms, owed_since_ms)
    return View(conversation, {conversation.main.dialog_id: log})


def test_a_consumer_sees_its_own_conversation_alone() -> None:
    who = consumer()
    assert may_see(who, opened(who))
    assert not may_see(consumer(), opened(who))


def test_a_consumer_is_never_offered_anything() -> None:
    assert not may_see(consumer(), opened(consumer()), is_offered=True)


@pytest.mark.parametrize("profile", ["manager", "administrator", "bot"])
def test_the_whole_account_and_no_other_is_seen_by_privilege(profile: str) -> None:
    who = principal(profile)
    assert may_see(who, opened(consumer()))
    assert not may_see(who, opened(consumer(AccountId("87654321"))))


def test_a_plain_agent_sees_what_it_takes_part_in_is_suggested_for_or_offered() -> None:
    who, conversation = principal(), opened(consumer())
    me = Participant(who.id, Role.ASSIGNED_AGENT, who.old_id)
    assert not may_see(who, conversation)
    assert may_see(who, conversation, is_offered=True)
    assert may_see(who, participants.add_participant(conversation, me, NOW))
    assert may_see(who, participants.suggest(conversation, me, NOW))


def test_a_query_means_states_stages_consumers_and_agents() -> None:
    boss, owner, other = principal("manager"), consumer(), principal()
    conversation = opened(owner)
    running = msgspec.structs.replace(conversation, state=State.CLOSE)
    cases = [
        (ConversationQuery(), conversation, True),
        (ConversationQuery(states=frozenset({State.OPEN})), conversation, True),
        (ConversationQuery(states=frozenset({State.OPEN})), running, False),
        (ConversationQuery(stages=frozenset({State.OPEN})), running, True),
        (ConversationQuery(stages=frozenset({State.CLOSE})), running, False),
        (ConversationQuery(consumer_id=owner.id), conversation, True),
        (ConversationQuery(consumer_id="x"), conversation, False),
        (ConversationQuery(agent_ids=frozenset({other.id})), conversation, False),
    ]
    for query, candidate, expected in cases:
        assert matches(query, view(candidate), boss, NOW) is expected


def test_a_suggested_agent_does_not_take_part_yet() -> None:
    who = principal()
    query = ConversationQuery(agent_ids=frozenset({who.id}))
    me = Participant(who.id, Role.ASSIGNED_AGENT, who.old_id)
    suggested = participants.suggest(opened(consumer()), me, NOW)
    assert not matches(query, view(suggested), who, NOW)
    assert matches(query, view(participants.accept(suggested, me, NOW)), who, NOW)


def test_times_are_those_of_the_last_event_or_change() -> None:
    boss, conversation = principal("manager"), opened(consumer())
    late = view(conversation, last_event_at_ms=NOW + 50)
    assert matches(ConversationQuery(min_last_update_ms=NOW + 50), late, boss, NOW)
    assert not matches(ConversationQuery(min_last_update_ms=NOW + 51), late, boss, NOW)
    assert matches(ConversationQuery(max_last_update_ms=NOW + 50), late, boss, NOW)
    assert not matches(ConversationQuery(max_last_update_ms=NOW + 49), late, boss, NOW)


def test_an_answer_must_be_owed_for_the_ettr_filter() -> None:
    boss, conversation = principal("manager"), opened(consumer())
    query = ConversationQuery(max_ettr_seconds=600)
    assert not matches(query, view(conversation), boss, NOW)
    assert matches(query, view(conversation, owed_since_ms=NOW), boss, NOW)
    assert not matches(query, view(conversation, owed_since_ms=NOW + 1), boss, NOW)
    assert not matches(query, view(rules.close(conversation, CloseReason.AGENT, NOW), NOW), boss, NOW)
