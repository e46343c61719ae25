"""Which sockets follow an agent's rings and state."""

from typing import Protocol

from talkwire.identity.model import Principal
from talkwire.kernel.ids import AccountId, ParticipantId
from talkwire.routing.model import AgentState, RingView


class Desk(Protocol):
    """A socket that follows rings or agent states. Must return at once."""

    @property
    def who(self) -> Principal: ...

    def hear_ring(self, ring: RingView) -> None: ...

    def hear_agent_state(self, state: AgentState) -> None: ...


class Desks:
    """Told by routing; tells the sockets."""

    def __init__(self) -> None:
        self._rings: dict[tuple[str, str], dict[Desk, None]] = {}
        self._states: dict[tuple[str, str], dict[Desk, None]] = {}
        self._followed: dict[Desk, set[tuple[str, str]]] = {}

    def follow_rings(self, desk: Desk) -> None:
        """An agent's own rings."""
        self._rings.setdefault((desk.who.account_id, desk.who.id), {})[desk] = None

    def follow_state(self, desk: Desk, agent_id: str) -> None:
        key = (desk.who.account_id, agent_id)
        self._states.setdefault(key, {})[desk] = None
        self._followed.setdefault(desk, set()).add(key)

    def leave(self, desk: Desk) -> None:
        """The socket is gone."""
        _drop(self._rings, (desk.who.account_id, desk.who.id), desk)
        for key in self._followed.pop(desk, ()):
            _drop(self._states, key, desk)

    def ring(self, account_id: AccountId, agent_id: ParticipantId, ring: RingView) -> None:
        for desk in tuple(self._rings.get((account_id, agent_id), ())):
            desk.hear_ring(ring)

    def state(self, state: AgentState) -> None:
        for desk in tuple(self._states.get((state.account_id, state.agent_id), ())):
            desk.hear_agent_state(state)


def _drop(held: dict[tuple[str, str], dict[Desk, None]], key: tuple[str, str], desk: Desk) -> None:
    desks = held.get(key)
    if desks is not None:
        desks.pop(desk, None)
        if not desks:
            del held[key]
