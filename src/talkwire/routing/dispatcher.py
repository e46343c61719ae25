"""Makes offers and ends them: looks again whenever something changed, and when the clock says so.

Nothing is read while nobody can be rung and no ring waits: an account without agents costs nothing,
however long its queue is.
"""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Never

import structlog

from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations import participants
from talkwire.conversations import store as conversation_store
from talkwire.conversations.model import Conversation
from talkwire.conversations.service import Conversations
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import ANY_SKILL, AccountId, ConversationId, ParticipantId
from talkwire.routing import rings, store
from talkwire.routing.assignment import Answerer, Offer, Situation, plan
from talkwire.routing.board import Board
from talkwire.routing.model import (
    MAX_OFFERS,
    AgentDirectory,
    Availability,
    Ring,
    RingState,
    RingView,
    Timing,
)

LONGEST_NAP_SECONDS = 1.0

QUEUE_HEAD = 30
"""Conversations looked at per skill and pass."""

log = structlog.get_logger()


class Dispatcher:
    """One pass after another over the accounts in which something changed."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        conversations: Conversations,
        directory: AgentDirectory,
        board: Board,
        tell: Callable[[RingView], None],
        timing: Timing,
    ) -> None:
        self._database = database
        self._clock = clock
        self._conversations = conversations
        self._directory = directory
        self._board = board
        self._tell = tell
        self._timing = timing
        self._awake = asyncio.Event()
        self._due: set[AccountId] = set()
        self._look_at_ms: dict[AccountId, int] = {}
        self._changed: dict[AccountId, dict[ConversationId, Conversation]] = defaultdict(dict)
        self._suggested: dict[AccountId, dict[ConversationId, Conversation]] = defaultdict(dict)

    async def start(self) -> None:
        """Take up the rings and suggestions of before a restart."""
        waiting = await store.all_waiting_rings(self._database)
        self._board.put_rings(waiting)
        for ring in waiting:
            found = await conversation_store.find(self._database, ring.account_id, ring.conversation_id)
            if found is not None:
                self._changed[ring.account_id][ring.conversation_id] = found
        for account_id in await store.accounts_with_suggestions(self._database):
            for conversation in await store.suggested(self._database, account_id):
                self._suggested[account_id][conversation.conversation_id] = conversation
        for account_id in {*self._board.accounts(), *self._suggested}:
            self.look(account_id)

    def look(self, account_id: AccountId) -> None:
        """Something changed in this account: somebody may have to be rung."""
        self._due.add(account_id)
        self._awake.set()

    def heard(self, conversation: Conversation) -> None:
        """A conversation opened or changed. Cheap when that concerns nobody who could be rung."""
        account_id, conversation_id = conversation.account_id, conversation.conversation_id
        if conversation.suggested_agents:
            self._suggested[account_id][conversation_id] = conversation
        elif account_id in self._suggested:
            self._suggested[account_id].pop(conversation_id, None)
        if self._board.rings_of_conversation(account_id, conversation_id):
            self._changed[account_id][conversation_id] = conversation
            self.look(account_id)
        elif conversation.suggested_agents or self._board.receiving(account_id):
            self.look(account_id)

    async def run(self) -> Never:
        """Make passes until cancelled. A pass that fails is made again a little later."""
        while True:
            await self.nap()
            for account_id in self.take_due():
                try:
                    await self.dispatch(account_id)
                except Exception:
                    log.exception("routing.pass_failed", account_id=account_id)
                    self._look_at_ms[account_id] = self._clock.now_ms() + 1000

    async def nap(self) -> None:
        """Wait until something changed or is due, at most a second: tests and drills move the clock."""
        until_ms = min(self._look_at_ms.values(), default=0) - self._clock.now_ms()
        seconds = min(max(until_ms / 1000, 0.01), LONGEST_NAP_SECONDS) if self._look_at_ms else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds or LONGEST_NAP_SECONDS):
                await self._awake.wait()

    def take_due(self) -> list[AccountId]:
        """Accounts to look at now; they are not due any more."""
        now_ms = self._clock.now_ms()
        due = self._due | {a for a, at_ms in self._look_at_ms.items() if at_ms <= now_ms}
        self._due.clear()
        self._awake.clear()
        for account_id in due:
            self._look_at_ms.pop(account_id, None)
        return sorted(due)

    async def dispatch(self, account_id: AccountId) -> None:
        """One pass: end the rings that are over, let suggestions lapse, ring whom the plan says."""
        now_ms = self._clock.now_ms()
        changed = dict(self._changed[account_id])
        ended = self._ended(account_id, changed, now_ms)
        offers = self._transfers(account_id)
        situation = await self._situation(account_id, ended, now_ms)
        if situation is not None:
            planned = await asyncio.to_thread(plan, situation)  # long with many agents
            offers += planned.offers
            self._look_by(account_id, planned.look_again_ms)
        if ended or offers:
            written = await self._write(account_id, ended, offers, now_ms)
            if written:
                self.look(account_id)  # what was behind the head of the queue is at its head now
        self._forget(account_id, changed)
        await self._lapse(account_id, now_ms)
        for ring in self._board.rings(account_id):
            self._look_by(account_id, ring.expires_at_ms)

    def _look_by(self, account_id: AccountId, at_ms: int | None) -> None:
        if at_ms is not None:
            self._look_at_ms[account_id] = min(at_ms, self._look_at_ms.get(account_id, at_ms))

    def _forget(self, account_id: AccountId, done: dict[ConversationId, Conversation]) -> None:
        """What was looked at needs no second look, unless it has changed meanwhile."""
        changed = self._changed[account_id]
        for conversation_id, conversation in done.items():
            if changed.get(conversation_id) is conversation:
                del changed[conversation_id]

    def _ended(
        self, account_id: AccountId, changed: dict[ConversationId, Conversation], now_ms: int
    ) -> list[Ring]:
        """Rings that are over: by what their conversation became, by the clock, or by their agent's leaving."""
        ended: dict[str, Ring] = {}
        for conversation_id, conversation in changed.items():
            waiting = self._board.rings_of_conversation(account_id, conversation_id)
            ended |= {ring.ring_id: ring for ring in rings.settle(waiting, conversation, now_ms)}
        for ring in self._board.rings(account_id):
            if ring.ring_id in ended:
                continue
            if not rings.is_waiting(ring, now_ms):
                ended[ring.ring_id] = rings.end(ring, RingState.EXPIRED, now_ms)
            elif not ring.is_transfer and self._has_left(ring):
                ended[ring.ring_id] = rings.end(ring, RingState.CANCELLED, now_ms)
        return list(ended.values())

    def _has_left(self, ring: Ring) -> bool:
        state = self._board.state(ring.account_id, ring.agent_id)
        return state is None or state.availability is Availability.OFFLINE

    def _transfers(self, account_id: AccountId) -> list[Offer]:
        """Rings for suggested agents who are there and have none yet."""
        there = {state.agent_id for state in self._board.receiving(account_id)}
        return [
            Offer(conversation, agent.id, is_transfer=True)
            for conversation_id, conversation in self._suggested.get(account_id, {}).items()
            for agent in conversation.suggested_agents
            if agent.id in there and not self._board.holds_ring(account_id, conversation_id, agent.id)
        ]

    async def _situation(self, account_id: AccountId, ended: list[Ring], now_ms: int) -> Situation | None:
        """What the plan is made of; None when nobody has a free place."""
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
        return Situation(heads, answerers, waiting_rings, past, known, now_ms, self._timing.rest_ms)

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

    async def _write(
        self, account_id: AccountId, ended: list[Ring], offers: list[Offer], now_ms: int
    ) -> list[Ring]:
        """Write down what ended and what begins; gives what was new to the database.

        Conversations are locked first, in the order of their ids, before any ring: as an answer does.
        """
        life_ms = self._timing.ring_life_ms
        concerned = {ring.conversation_id for ring in ended}
        concerned |= {offer.conversation.conversation_id for offer in offers}

        async def unit(tx: Transaction) -> list[Ring]:
            await store.lock_account(tx, account_id, now_ms)
            locked = {i: await conversation_store.lock(tx, account_id, i) for i in sorted(concerned)}
            written = await store.settle_rings(tx, ended)
            for offer in offers:
                conversation = locked[offer.conversation.conversation_id]
                ring = await _ring(tx, offer, conversation, now_ms, life_ms) if conversation else None
                if ring is not None:
                    written.append(ring)
            return written

        def committed(written: list[Ring]) -> None:
            self._board.put_rings((*ended, *written))
            for ring in written:
                self._tell(self.view(ring))

        return await self._database.write(unit, committed)

    def view(self, ring: Ring) -> RingView:
        """A ring as its agent is told of it."""
        held = self._conversations.views.find(ring.account_id, ring.conversation_id)
        return rings.view(ring, held.conversation) if held else RingView(ring)

    async def _lapse(self, account_id: AccountId, now_ms: int) -> None:
        """Let go suggestions that nobody took in a ring's time, back to the queue."""
        for conversation in list(self._suggested.get(account_id, {}).values()):
            for agent in conversation.suggested_agents:
                if self._board.holds_ring(account_id, conversation.conversation_id, agent.id):
                    continue
                lapses_at_ms = agent.suggested_at_ms + self._timing.ring_life_ms
                if lapses_at_ms <= now_ms:
                    await self._withdraw(conversation, agent.id, agent.suggested_at_ms)
                else:
                    self._look_by(account_id, lapses_at_ms)

    async def _withdraw(
        self, conversation: Conversation, agent_id: ParticipantId, suggested_at_ms: int
    ) -> None:
        async def decide(now: Conversation, tx: Transaction) -> Conversation:
            same = [
                p for p in now.suggested_agents if (p.id, p.suggested_at_ms) == (agent_id, suggested_at_ms)
            ]
            return participants.reject(now, agent_id, self._clock.now_ms()) if same else now

        await self._conversations.change(conversation.account_id, conversation.conversation_id, decide)


async def _ring(
    tx: Transaction, offer: Offer, conversation: Conversation, now_ms: int, life_ms: int
) -> Ring | None:
    """Write a ring, if the locked conversation still waits for this agent."""
    account_id, conversation_id = conversation.account_id, conversation.conversation_id
    ringing = await store.waiting_rings_of(tx, account_id, conversation_id)
    at_ms = max(now_ms, await store.last_ring_ms(tx, account_id, conversation_id) + 1)
    ring = Ring(
        account_id=account_id,
        ring_id=f"{conversation_id}_{account_id}_{at_ms}",
        conversation_id=conversation_id,
        agent_id=offer.agent_id,
        consumer_id=conversation.consumer_id,
        skill_id=offer.conversation.skill_id,
        state=RingState.WAITING,
        is_transfer=offer.is_transfer,
        weight=(conversation.queued_at_ms or now_ms) + conversation.ttr.seconds * 1000,
        created_at_ms=at_ms,
        expires_at_ms=at_ms + life_ms,
    )
    is_over = bool(rings.settle([ring], conversation, now_ms))
    is_rung = any(r.agent_id == offer.agent_id for r in ringing)
    if is_over or is_rung or (len(ringing) >= MAX_OFFERS and not offer.is_transfer):
        return None
    await store.insert_ring(tx, ring)
    return ring
