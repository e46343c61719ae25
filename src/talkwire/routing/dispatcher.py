"""Makes offers and ends them: looks again whenever something changed, and when the clock says so.

Nothing is read while nobody can be rung and no ring waits: an account without agents costs nothing,
however long its queue is.
"""

import asyncio
import contextlib
from collections import defaultdict
from typing import Never

import structlog

from talkwire.conversations.model import Conversation
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ConversationId
from talkwire.routing import rings
from talkwire.routing.assignment import plan
from talkwire.routing.board import Board
from talkwire.routing.model import Availability, Ring, RingState
from talkwire.routing.ringing import Ringing
from talkwire.routing.situations import Situations
from talkwire.routing.suggestions import Suggestions

LONGEST_NAP_SECONDS = 1.0

log = structlog.get_logger()


class Dispatcher:
    """One pass after another over the accounts in which something changed."""

    def __init__(
        self, clock: Clock, board: Board, situations: Situations, ringing: Ringing, suggestions: Suggestions
    ) -> None:
        self._clock = clock
        self._board = board
        self._situations = situations
        self._ringing = ringing
        self._suggestions = suggestions
        self._awake = asyncio.Event()
        self._due: set[AccountId] = set()
        self._look_at_ms: dict[AccountId, int] = {}
        self._changed: dict[AccountId, dict[ConversationId, Conversation]] = defaultdict(dict)

    async def start(self) -> None:
        """Take up the rings and suggestions of before a restart."""
        for conversation in await self._ringing.start():
            self._changed[conversation.account_id][conversation.conversation_id] = conversation
        for account_id in await self._suggestions.start() | self._board.accounts():
            self.look(account_id)

    def look(self, account_id: AccountId) -> None:
        """Something changed in this account: somebody may have to be rung."""
        self._due.add(account_id)
        self._awake.set()

    def heard(self, conversation: Conversation) -> None:
        """A conversation opened or changed. Cheap when that concerns nobody who could be rung."""
        account_id, conversation_id = conversation.account_id, conversation.conversation_id
        self._suggestions.heard(conversation)
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
        offers = self._suggestions.offers(account_id)
        situation = await self._situations.find(account_id, ended, now_ms)
        if situation is not None:
            planned = await asyncio.to_thread(plan, situation)  # long with many agents
            offers += planned.offers
            self._look_by(account_id, planned.look_again_ms)
        if ended or offers:
            written = await self._ringing.write(account_id, ended, offers, now_ms)
            if written:
                self.look(account_id)  # what was behind the head of the queue is at its head now
        self._forget(account_id, changed)
        self._look_by(account_id, await self._suggestions.lapse(account_id, now_ms))
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
