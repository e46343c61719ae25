"""Agents to whom a conversation was suggested: rung once they are there, let go when they did not come."""

from collections import defaultdict

from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations import participants
from talkwire.conversations.model import Conversation
from talkwire.conversations.service import Conversations
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId
from talkwire.routing import store
from talkwire.routing.assignment import Offer
from talkwire.routing.board import Board


class Suggestions:
    """The conversations that have suggested agents, in memory."""

    def __init__(
        self, database: Database, clock: Clock, conversations: Conversations, board: Board, life_ms: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._conversations = conversations
        self._board = board
        self._life_ms = life_ms
        self._suggested: dict[AccountId, dict[ConversationId, Conversation]] = defaultdict(dict)

    async def start(self) -> set[AccountId]:
        """Take up those of before a restart; gives the accounts that have some."""
        for account_id in await store.accounts_with_suggestions(self._database):
            for conversation in await store.suggested(self._database, account_id):
                self._suggested[account_id][conversation.conversation_id] = conversation
        return set(self._suggested)

    def heard(self, conversation: Conversation) -> None:
        """A conversation opened or changed."""
        account_id, conversation_id = conversation.account_id, conversation.conversation_id
        if conversation.suggested_agents:
            self._suggested[account_id][conversation_id] = conversation
        elif account_id in self._suggested:
            self._suggested[account_id].pop(conversation_id, None)

    def offers(self, account_id: AccountId) -> list[Offer]:
        """Rings for suggested agents who are there and have none yet."""
        there = {state.agent_id for state in self._board.receiving(account_id)}
        return [
            Offer(conversation, agent.id, is_transfer=True)
            for conversation_id, conversation in self._suggested.get(account_id, {}).items()
            for agent in conversation.suggested_agents
            if agent.id in there and not self._board.holds_ring(account_id, conversation_id, agent.id)
        ]

    async def lapse(self, account_id: AccountId, now_ms: int) -> int | None:
        """Let go those that nobody took in a ring's time, back to the queue; gives when the next one lapses."""
        next_ms: int | None = None
        for conversation in list(self._suggested.get(account_id, {}).values()):
            for agent in conversation.suggested_agents:
                if self._board.holds_ring(account_id, conversation.conversation_id, agent.id):
                    continue
                lapses_at_ms = agent.suggested_at_ms + self._life_ms
                if lapses_at_ms <= now_ms:
                    await self._withdraw(conversation, agent.id, agent.suggested_at_ms)
                else:
                    next_ms = min(lapses_at_ms, next_ms or lapses_at_ms)
        return next_ms

    async def _withdraw(
        self, conversation: Conversation, agent_id: ParticipantId, suggested_at_ms: int
    ) -> None:
        async def decide(now: Conversation, tx: Transaction) -> Conversation:
            same = [
                p for p in now.suggested_agents if (p.id, p.suggested_at_ms) == (agent_id, suggested_at_ms)
            ]
            return participants.reject(now, agent_id, self._clock.now_ms()) if same else now

        await self._conversations.change(conversation.account_id, conversation.conversation_id, decide)
