"""Takes agents who were deleted or disabled out of their conversations; what they held goes back to the queue.

The database says who that is, so that nothing is left behind by a crash, another node or an admin command:
whoever changes an agent only rings. An agent who is merely offline keeps what it has.
Source: docs/protocol.md 5.5.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Never

import structlog

from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations import participants
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import Conversation
from talkwire.conversations.service import Conversations
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import ConversationId
from talkwire.routing import departures_store, rings, store
from talkwire.routing.departures_store import Departed
from talkwire.routing.model import Ring

LOOK_SECONDS = 10.0
"""How often it is looked for those whom nobody here rang for."""

AT_ONCE = 20
"""Conversations handed to the writer together; between two such batches others have their turn."""

log = structlog.get_logger()

Ended = Callable[[Sequence[Ring], Conversation], None]


class Departures:
    """Looks for departed agents when it is told to, and now and then."""

    def __init__(self, database: Database, clock: Clock, conversations: Conversations, ended: Ended) -> None:
        self._database = database
        self._clock = clock
        self._conversations = conversations
        self._ended = ended
        self._awake = asyncio.Event()

    def look(self) -> None:
        """An agent changed: it may have departed."""
        self._awake.set()

    async def run(self) -> Never:
        """Look until cancelled. What fails is done again with the next look."""
        while True:
            self._awake.clear()
            try:
                await self.clear()
            except Exception:
                log.exception("routing.departures_failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._awake.wait()

    async def clear(self) -> None:
        """Take everybody who is gone out of everything. May be done twice, and by several nodes at once."""
        for departed in await departures_store.departed_to_clear(self._database):
            await self._clear(departed)

    async def _clear(self, departed: Departed) -> None:
        ids = sorted(await departures_store.conversations_with(self._database, departed))
        for first in range(0, len(ids), AT_ONCE):
            async with asyncio.TaskGroup() as tasks:
                for conversation_id in ids[first : first + AT_ONCE]:
                    tasks.create_task(self._take_out(departed, conversation_id))

        async def unit(tx: Transaction) -> None:
            await departures_store.set_cleared(tx, departed)

        await self._database.write(unit)

    async def _take_out(self, departed: Departed, conversation_id: ConversationId) -> None:
        """One conversation, judged as it stands when it is locked."""
        ended: list[Ring] = []

        async def decide(before: Conversation, tx: Transaction) -> Conversation:
            ended.clear()
            if not await departures_store.is_departed(tx, departed):
                return before
            now_ms = self._clock.now_ms()
            after = participants.depart(before, departed.agent_id, now_ms)
            waiting = await store.waiting_rings_of(tx, departed.account_id, conversation_id)
            settled = rings.settle_without(waiting, after, departed.agent_id, now_ms)
            ended[:] = await store.settle_rings(tx, settled)
            return after

        with contextlib.suppress(ConversationNotFound):  # erased meanwhile
            await self._conversations.change(
                departed.account_id, conversation_id, decide, lambda c: self._ended(ended, c)
            )
