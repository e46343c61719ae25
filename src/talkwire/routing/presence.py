"""Who is there: agent states as agents set them, tied to their sockets."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Never

import msgspec
import structlog

from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations.errors import MayNotChange
from talkwire.identity.model import Principal
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId, ParticipantId
from talkwire.routing import store
from talkwire.routing.board import Board
from talkwire.routing.model import AgentState, Availability

MAX_DESCRIPTION_CHARACTERS = 1024
MAX_CHANNELS = 10
MAX_CHANNEL_CHARACTERS = 64
LOOK_SECONDS = 1.0

log = structlog.get_logger()

StateListener = Callable[[AgentState], None]


class Presence:
    """Agent states, durable; and the sockets that keep them alive, in memory."""

    def __init__(self, database: Database, clock: Clock, board: Board, grace_ms: int) -> None:
        self._database = database
        self._clock = clock
        self._board = board
        self._grace_ms = grace_ms
        self._ends_at_ms: dict[tuple[AccountId, ParticipantId], int] = {}
        self._listeners: list[StateListener] = []

    def on_change(self, listener: StateListener) -> None:
        self._listeners.append(listener)

    async def start(self) -> None:
        """Take up the states of before a restart; who does not come back within the grace goes OFFLINE."""
        for state in await store.all_present_agents(self._database):
            self._board.put_state(state)
            key = (state.account_id, state.agent_id)
            if not self._board.sockets[key]:
                self._ends_at_ms[key] = self._clock.now_ms() + self._grace_ms

    async def set_state(
        self, who: Principal, availability: Availability, channels: Sequence[str], description: str
    ) -> AgentState:
        """Raises MayNotChange for anybody but agents."""
        if who.is_consumer:
            raise MayNotChange("only agents have a state")
        key = (who.account_id, who.id)
        if not self._board.sockets[key]:
            self._ends_at_ms[key] = self._clock.now_ms() + self._grace_ms
        named = dict.fromkeys(channel[:MAX_CHANNEL_CHARACTERS] for channel in channels)
        return await self._write(
            AgentState(
                account_id=who.account_id,
                agent_id=who.id,
                old_id=who.old_id,
                availability=availability,
                channels=tuple(named)[:MAX_CHANNELS] or ("MESSAGING",),
                description=description[:MAX_DESCRIPTION_CHARACTERS],
                updated_at_ms=self._clock.now_ms(),
            )
        )

    def connected(self, who: Principal) -> None:
        """One more socket of the agent."""
        key = (who.account_id, who.id)
        self._board.sockets[key] += 1
        self._ends_at_ms.pop(key, None)

    def disconnected(self, who: Principal) -> None:
        """One socket less; without any the state ends after the grace."""
        key = (who.account_id, who.id)
        self._board.sockets[key] -= 1
        if self._board.sockets[key] <= 0:
            del self._board.sockets[key]
            self._ends_at_ms[key] = self._clock.now_ms() + self._grace_ms

    async def run(self) -> Never:
        """End states in time, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.end_grace()
            except Unavailable:
                log.warning("routing.presence_unavailable")
            except Exception:  # offers must not end with it
                log.exception("routing.presence_failed")

    async def end_grace(self) -> None:
        """Set OFFLINE who has been without a socket for too long."""
        now_ms = self._clock.now_ms()
        for key in [key for key, ends_at_ms in self._ends_at_ms.items() if ends_at_ms <= now_ms]:
            state = self._board.state(*key)
            if state is not None and state.availability is not Availability.OFFLINE:
                await self._write(
                    msgspec.structs.replace(state, availability=Availability.OFFLINE, updated_at_ms=now_ms)
                )
            if self._ends_at_ms.get(key, now_ms + 1) <= now_ms:
                del self._ends_at_ms[key]

    async def _write(self, state: AgentState) -> AgentState:
        async def unit(tx: Transaction) -> AgentState:
            await store.save_agent_state(tx, state)
            return state

        def committed(written: AgentState) -> None:
            self._board.put_state(written)
            for listener in self._listeners:
                listener(written)

        return await self._database.write(unit, committed)
