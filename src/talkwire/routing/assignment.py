"""Which waiting conversation is offered to which agent. Pure.

Urgent before normal, longest wait first, the least loaded agent with the skill, at most three rings of
one conversation at once. Everybody waiting is given a first ring before anybody is given a second.
No agent is rung twice in a row for the same conversation: another comes first, or, when there is nobody
else, some time passes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from talkwire.conversations.model import Conversation, TtrType
from talkwire.kernel.ids import ANY_SKILL, ConversationId, ParticipantId, SkillId
from talkwire.routing.model import MAX_OFFERS, Ring, RingState


class Answerer(NamedTuple):
    """An agent who can be rung now."""

    agent_id: ParticipantId
    skills: frozenset[SkillId]
    capacity: int
    load: int  # conversations held, without rings
    takes_new: bool  # ONLINE; else OCCUPIED, for transfers only


class Situation(NamedTuple):
    """What an assignment is decided on."""

    waiting: Sequence[Conversation]  # the head of the queue of each skill
    answerers: Sequence[Answerer]
    rings: Sequence[Ring]  # of the account, WAITING
    history: Mapping[ConversationId, Sequence[Ring]]  # of the waiting conversations, oldest first
    known_skills: frozenset[SkillId]
    now_ms: int
    rest_ms: int  # how long one rests who is rung again because nobody else is there


class Offer(NamedTuple):
    conversation: Conversation
    agent_id: ParticipantId
    is_transfer: bool = False


class Plan(NamedTuple):
    offers: list[Offer]
    look_again_ms: int | None  # when somebody who rests now could be rung


class _Bench:
    """The agents, their free places as the plan grows, and who may be rung for what."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.look_again_ms: int | None = None
        rung = Counter(r.agent_id for r in situation.rings if not r.is_transfer)
        self.load = {a.agent_id: a.load + rung[a.agent_id] for a in situation.answerers}
        self.free = {a.agent_id: a.capacity - self.load[a.agent_id] for a in situation.answerers}

    def take(self, agent_id: ParticipantId) -> None:
        self.load[agent_id] += 1
        self.free[agent_id] -= 1

    def candidates(self, conversation: Conversation) -> dict[ParticipantId, int]:
        """Who fits and is rested, with how often each was rung for this conversation before."""
        situation = self.situation
        history = situation.history.get(conversation.conversation_id, ())
        times = Counter(ring.agent_id for ring in history)
        return {
            answerer.agent_id: times[answerer.agent_id]
            for answerer in situation.answerers
            if self.free[answerer.agent_id] > 0
            and _fits(answerer, conversation, situation.known_skills)
            and self._is_rested(answerer.agent_id, conversation, history)
        }

    def _is_rested(
        self, agent_id: ParticipantId, conversation: Conversation, history: Sequence[Ring]
    ) -> bool:
        if not history and agent_id != conversation.last_agent_id:
            return True
        rested_at_ms = _rested_at_ms(agent_id, conversation, history, self.situation.rest_ms)
        if rested_at_ms is None:
            return False
        if rested_at_ms <= self.situation.now_ms:
            return True
        self.look_again_ms = min(self.look_again_ms or rested_at_ms, rested_at_ms)
        return False


def plan(situation: Situation) -> Plan:
    """Whom to ring now."""
    bench = _Bench(situation)
    queue = sorted((c for c in situation.waiting if not c.suggested_agents), key=_place_in_queue)
    candidates = {c.conversation_id: bench.candidates(c) for c in queue}
    rung = _rung_for(queue, situation.rings)
    offers: list[Offer] = []
    for count in range(MAX_OFFERS):
        for conversation in queue:
            already = rung[conversation.conversation_id]
            if len(already) > count:
                continue
            agent_id = _choose(candidates[conversation.conversation_id], already, bench)
            if agent_id is not None:
                offers.append(Offer(conversation, agent_id))
                already.add(agent_id)
                bench.take(agent_id)
    return Plan(offers, bench.look_again_ms)


def _place_in_queue(conversation: Conversation) -> tuple[bool, int, str]:
    return (
        conversation.ttr.type is not TtrType.URGENT,
        conversation.queued_at_ms,
        conversation.conversation_id,
    )


def _rung_for(
    queue: Sequence[Conversation], rings: Sequence[Ring]
) -> dict[ConversationId, set[ParticipantId]]:
    rung: dict[ConversationId, set[ParticipantId]] = {c.conversation_id: set() for c in queue}
    for ring in rings:
        if ring.conversation_id in rung:
            rung[ring.conversation_id].add(ring.agent_id)
    return rung


def _choose(
    candidates: Mapping[ParticipantId, int], already: set[ParticipantId], bench: _Bench
) -> ParticipantId | None:
    """The agent to ring: rung least often for this conversation, then least loaded."""
    ready = [
        (times, bench.load[agent_id], agent_id)
        for agent_id, times in candidates.items()
        if bench.free[agent_id] > 0 and agent_id not in already
    ]
    return min(ready)[2] if ready else None


def _fits(answerer: Answerer, conversation: Conversation, known_skills: frozenset[SkillId]) -> bool:
    """By state and skill. A skill that nobody created, or that is gone, asks for nothing in particular."""
    if not answerer.takes_new and not conversation.last_agent_id:
        return False
    skill_id = conversation.skill_id
    return skill_id == ANY_SKILL or skill_id in answerer.skills or skill_id not in known_skills


def _rested_at_ms(
    agent_id: ParticipantId, conversation: Conversation, history: Sequence[Ring], rest_ms: int
) -> int | None:
    """From when the agent may be rung for this conversation (again): 0 at any time, None not yet.

    Who let it go is not rung while it rings for others, then at once if another was rung since.
    """
    ended_at_ms = 0
    if agent_id == conversation.last_agent_id:
        ended_at_ms = conversation.queued_at_ms  # it had the conversation, and let it go
    for ring in history:
        if ring.agent_id == agent_id and ring.state is not RingState.WAITING:
            ended_at_ms = max(ended_at_ms, ring.settled_at_ms or 0)
    if not ended_at_ms:
        return 0
    others = [ring for ring in history if ring.agent_id != agent_id]
    if any(ring.state is RingState.WAITING for ring in others):
        return None
    return 0 if any(ring.created_at_ms >= ended_at_ms for ring in others) else ended_at_ms + rest_ms
