"""Rings begin and end: written down together, then put on the board and told."""

from collections.abc import Callable

from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations import store as conversation_store
from talkwire.conversations.model import Conversation
from talkwire.conversations.service import Conversations
from talkwire.kernel.ids import AccountId
from talkwire.routing import rings, store
from talkwire.routing.assignment import Offer
from talkwire.routing.board import Board
from talkwire.routing.model import MAX_OFFERS, Ring, RingState, RingView


class Ringing:
    """Writes down what a pass over an account decided."""

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        board: Board,
        tell: Callable[[RingView], None],
        ring_life_ms: int,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._board = board
        self._tell = tell
        self._ring_life_ms = ring_life_ms

    async def start(self) -> list[Conversation]:
        """Put the rings of before a restart on the board; gives the conversations that they are of."""
        waiting = await store.all_waiting_rings(self._database)
        self._board.put_rings(waiting)
        found = [
            await conversation_store.find(self._database, ring.account_id, ring.conversation_id)
            for ring in waiting
        ]
        return [conversation for conversation in found if conversation is not None]

    async def write(
        self, account_id: AccountId, ended: list[Ring], offers: list[Offer], now_ms: int
    ) -> list[Ring]:
        """Write down what ended and what begins; gives what was new to the database.

        Conversations are locked first, in the order of their ids, before any ring: as an answer does.
        """
        life_ms = self._ring_life_ms
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
