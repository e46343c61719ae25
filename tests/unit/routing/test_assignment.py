"""Who is rung for what, decided without a database."""

from collections.abc import Sequence

from talkwire.conversations.model import Conversation, NewConversation, Ttr, TtrType
from talkwire.conversations.rules import new_conversation
from talkwire.kernel.ids import ANY_SKILL, AccountId, ConversationId, ParticipantId, SkillId
from talkwire.routing.assignment import Answerer, Plan, Situation, plan
from talkwire.routing.model import Ring, RingState

ACCOUNT = AccountId("12345678")
NOW = 1_000_000
SALES = SkillId("7")


def waiting(name: str, at_ms: int = NOW, skill: SkillId = ANY_SKILL) -> Conversation:
    new = NewConversation(
        account_id=ACCOUNT,
        consumer_id=ParticipantId(f"consumer of {name}"),
        ttr=Ttr(TtrType.NORMAL, 600),
        skill_id=skill,
    )
    return new_conversation(new, ConversationId(name), at_ms, is_first=True)


def agent(name: str, *, load: int = 0, capacity: int = 5, skills: Sequence[SkillId] = ()) -> Answerer:
    return Answerer(ParticipantId(name), frozenset(skills), capacity, load, takes_new=True)


def ring(name: str, conversation: str, at_ms: int, settled_at_ms: int | None = None) -> Ring:
    return Ring(
        account_id=ACCOUNT,
        ring_id=f"{conversation}_{ACCOUNT}_{at_ms}",
        conversation_id=ConversationId(conversation),
        agent_id=ParticipantId(name),
        consumer_id=ParticipantId("somebody"),
        skill_id=ANY_SKILL,
        state=RingState.WAITING if settled_at_ms is None else RingState.REJECTED,
        is_transfer=False,
        weight=0,
        created_at_ms=at_ms,
        expires_at_ms=at_ms + 72_000,
        settled_at_ms=settled_at_ms,
    )


def decide(
    queue: Sequence[Conversation], agents: Sequence[Answerer], history: Sequence[Ring] = (), now_ms: int = NOW
) -> Plan:
    by_conversation = {
        c.conversation_id: [r for r in history if r.conversation_id == c.conversation_id] for c in queue
    }
    rings = [r for r in history if r.state is RingState.WAITING]
    return plan(Situation(queue, agents, rings, by_conversation, frozenset({SALES}), now_ms, rest_ms=10_000))


def offered(planned: Plan) -> list[tuple[str, str]]:
    return [(o.conversation.conversation_id, o.agent_id) for o in planned.offers]


def test_the_least_loaded_agent_is_rung_first() -> None:
    agents = [agent("busy", load=3), agent("free"), agent("half", load=1)]
    assert offered(decide([waiting("a")], agents)) == [("a", "free"), ("a", "half"), ("a", "busy")]


def test_everybody_waiting_is_rung_for_once_before_anybody_twice() -> None:
    agents = [agent("x", capacity=1), agent("y", capacity=1)]
    planned = decide([waiting("late", NOW), waiting("early", NOW - 5)], agents)
    assert [conversation for conversation, _ in offered(planned)] == ["early", "late"]


def test_rings_that_wait_take_a_place() -> None:
    one = agent("x", capacity=1)
    assert offered(decide([waiting("a"), waiting("b")], [one], [ring("x", "b", NOW)])) == []


def test_nobody_is_rung_twice_at_once_for_the_same_conversation() -> None:
    assert offered(decide([waiting("a")], [agent("x")], [ring("x", "a", NOW)])) == []


def test_the_skill_must_fit() -> None:
    agents = [agent("seller", skills=[SALES]), agent("other")]
    assert offered(decide([waiting("a", skill=SALES)], agents)) == [("a", "seller")]


def test_who_rejected_is_rung_again_after_the_rest_and_is_looked_for_then() -> None:
    past = [ring("x", "a", NOW - 20_000, settled_at_ms=NOW - 1)]
    planned = decide([waiting("a")], [agent("x")], past)
    assert offered(planned) == []
    assert planned.look_again_ms == NOW - 1 + 10_000
    assert offered(decide([waiting("a")], [agent("x")], past, NOW - 1 + 10_000)) == [("a", "x")]


def test_who_rejected_is_rung_at_once_when_another_was_rung_since() -> None:
    past = [ring("x", "a", 1, settled_at_ms=5), ring("y", "a", 6, settled_at_ms=NOW)]
    assert offered(decide([waiting("a")], [agent("x")], past)) == [("a", "x")]


def test_who_rejected_is_not_rung_while_another_is() -> None:
    past = [ring("x", "a", 1, settled_at_ms=5), ring("y", "a", 6)]
    planned = decide([waiting("a")], [agent("x"), agent("y")], past)
    assert offered(planned) == []
    assert planned.look_again_ms is None


def test_who_was_never_rung_comes_before_who_was() -> None:
    past = [ring("x", "a", 1, settled_at_ms=5), ring("y", "a", 6, settled_at_ms=7)]
    agents = [agent("x"), agent("y"), agent("z", load=4)]
    assert offered(decide([waiting("a")], agents, past, now_ms=NOW))[0] == ("a", "z")


def test_a_queue_of_hundreds_is_planned_for_as_far_as_there_are_places() -> None:
    queue = [waiting(f"{n:03}", NOW + n) for n in range(300)]
    planned = decide(queue, [agent(f"agent {n}", capacity=2) for n in range(10)])
    assert [conversation for conversation, _ in offered(planned)] == [f"{n:03}" for n in range(20)]
