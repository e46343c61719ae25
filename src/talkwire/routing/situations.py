"""What an account's next offers are planned from: who is there with a free place, and who waits for such."""

from collections import Counter

from talkwire.backends.database.port import Database
from talkwire.conversations.model import Conversation
from talkwire.kernel.ids import ANY_SKILL, AccountId
from talkwire.routing import store
from talkwire.routing.assignment import Answerer, Situation
from talkwire.routing.board import Board
from talkwire.routing.model import MAX_OFFERS, AgentDirectory, Availability, Ring

QUEUE_HEAD = 30
"""Conversations looked at per skill and pass."""


class Situations:
    """Reads no more than a pass can use, and nothing while nobody can be rung."""

    def __init__(self, database: Database, directory: AgentDirectory, board: Board, rest_ms: int) -> None:
        self._database = database
        self._directory = directory
        self._board = board
        self._rest_ms = rest_ms

    async def find(self, account_id: AccountId, ended: list[Ring], now_ms: int) -> Situation | None:
        """As it is now, once these rings have ended; None when nobody has a free place, or nobody waits."""
        receiving = self._board.receiving(account_id)
        if not receiving:
            return None
        over = {ring.ring_id: ring for ring in ended}
        waiting_rings = [r for r in self._board.rings(account_id) if r.ring_id not in over]
        answerers = await self._answerers(account_id)
        rung = [r.agent_id for r in waiting_rings if not r.is_transfer]
        if not any(a.capacity > a.load + rung.count(a.agent_id) for a in answerers):
            return None
        known = await store.known_skills(self._database, account_id)
        heads = await self._heads(account_id, answerers, known)
        if not heads:
            return None
        written = await store.history(self._database, account_id, heads)
        past = {i: [over.get(ring.ring_id, ring) for ring in made] for i, made in written.items()}
        return Situation(heads, answerers, waiting_rings, past, known, now_ms, self._rest_ms)

    async def _answerers(self, account_id: AccountId) -> list[Answerer]:
        loads = await store.loads(self._database, account_id)
        answerers = []
        for state in self._board.receiving(account_id):
            agent = await self._directory.find_agent(account_id, state.agent_id)
            if agent is not None and agent.enabled:
                load = loads.get(agent.id, 0)
                takes_new = state.availability is Availability.ONLINE
                answerers.append(
                    Answerer(agent.id, frozenset(agent.skills), agent.max_conversations, load, takes_new)
                )
        return answerers

    async def _heads(
        self,
        account_id: AccountId,
        answerers: list[Answerer],
        known: frozenset[str],
    ) -> list[Conversation]:
        """The first in the queue of each skill that somebody there has, and whom one agent more could take.

        Skills that nobody created are as many as consumers make up: of those the first few are looked at.
        """
        had: set[str] = {skill for a in answerers for skill in a.skills}
        transfers_only = not any(a.takes_new for a in answerers)
        ringing = Counter(ring.conversation_id for ring in self._board.rings(account_id))
        few = [i for i, count in ringing.items() if count < MAX_OFFERS][:QUEUE_HEAD]
        heads = await store.waiting_among(self._database, account_id, few)
        waiting = await store.waiting_skills(self._database, account_id, transfers_only=transfers_only)
        made_up = [i for i in waiting if i not in had and i not in known and i != ANY_SKILL][:QUEUE_HEAD]
        for skill_id in waiting:
            if skill_id in had or skill_id == ANY_SKILL or skill_id in made_up:
                heads += await store.head_of_queue(
                    self._database,
                    account_id,
                    skill_id,
                    QUEUE_HEAD,
                    transfers_only=transfers_only,
                )
        return heads
