"""What routing keeps in memory: who is there, and which rings wait. Written after COMMIT only."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId
from talkwire.routing.model import AgentState, Availability, Ring, RingState

RECEIVING = frozenset({Availability.ONLINE, Availability.OCCUPIED})


class Board:
    """The newest known state of agents and rings, on the event loop's thread."""

    def __init__(self) -> None:
        self.sockets: Counter[tuple[AccountId, ParticipantId]] = Counter()
        self._states: dict[AccountId, dict[ParticipantId, AgentState]] = defaultdict(dict)
        self._rings: dict[AccountId, dict[str, Ring]] = defaultdict(dict)
        self._by_conversation: dict[tuple[AccountId, ConversationId], dict[str, Ring]] = defaultdict(dict)

    def state(self, account_id: AccountId, agent_id: ParticipantId) -> AgentState | None:
        return self._states[account_id].get(agent_id) if account_id in self._states else None

    def states(self, account_id: AccountId) -> list[AgentState]:
        return list(self._states.get(account_id, {}).values())

    def put_state(self, state: AgentState) -> None:
        self._states[state.account_id][state.agent_id] = state

    def receiving(self, account_id: AccountId) -> list[AgentState]:
        """Agents who can be rung: by their state, and with a socket to hear it on."""
        return [
            state
            for state in self._states.get(account_id, {}).values()
            if state.availability in RECEIVING and self.sockets[account_id, state.agent_id] > 0
        ]

    def put_rings(self, rings: Iterable[Ring]) -> None:
        """Hold what waits, let go what has ended."""
        for ring in rings:
            key = (ring.account_id, ring.conversation_id)
            if ring.state is RingState.WAITING:
                self._rings[ring.account_id][ring.ring_id] = ring
                self._by_conversation[key][ring.ring_id] = ring
            elif self._rings[ring.account_id].pop(ring.ring_id, None):
                del self._by_conversation[key][ring.ring_id]
                if not self._by_conversation[key]:
                    del self._by_conversation[key]

    def rings(self, account_id: AccountId) -> list[Ring]:
        return list(self._rings.get(account_id, {}).values())

    def rings_of_agent(self, account_id: AccountId, agent_id: ParticipantId) -> list[Ring]:
        return [r for r in self._rings.get(account_id, {}).values() if r.agent_id == agent_id]

    def rings_of_conversation(self, account_id: AccountId, conversation_id: ConversationId) -> list[Ring]:
        return list(self._by_conversation.get((account_id, conversation_id), {}).values())

    def holds_ring(
        self, account_id: AccountId, conversation_id: ConversationId, agent_id: ParticipantId
    ) -> bool:
        """Whether the conversation is offered to this agent."""
        held = self._by_conversation.get((account_id, conversation_id))
        return held is not None and any(r.agent_id == agent_id for r in held.values())

    def accounts(self) -> set[AccountId]:
        """Accounts in which somebody or something is to be looked after."""
        return {a for a, states in self._states.items() if states} | {a for a, r in self._rings.items() if r}
