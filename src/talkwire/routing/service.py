"""Use cases of routing: fields of conversations, rings, agent states, offers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Never

import msgspec

from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations import participants, rules
from talkwire.conversations.errors import ConversationNotFound, FieldInvalid, MayNotChange, ParticipantAbsent
from talkwire.conversations.model import Conversation, Participant, Role, Survey
from talkwire.conversations.service import Conversations
from talkwire.identity.model import Principal
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, DialogId, ParticipantId, new_short_id
from talkwire.routing import fields, rings, store
from talkwire.routing.board import Board
from talkwire.routing.departures import Departures
from talkwire.routing.dispatcher import Dispatcher
from talkwire.routing.errors import AgentNotFound, RingNotFound
from talkwire.routing.model import (
    AgentDirectory,
    AgentState,
    Availability,
    ChangeType,
    CloseDialog,
    FieldChange,
    ParticipantsChange,
    Ring,
    RingState,
    RingView,
    Timing,
)
from talkwire.routing.presence import Presence, StateListener
from talkwire.routing.ringing import Ringing
from talkwire.routing.situations import Situations
from talkwire.routing.suggestions import Suggestions

RingListener = Callable[[AccountId, ParticipantId, RingView], None]
SurveyApp = Callable[[AccountId], Awaitable[str]]
"""The installed app that asks after the main dialog; empty when the account has none."""

DEFAULT_TIMING = Timing()
TAKING_AWAY = frozenset({ChangeType.REMOVE, ChangeType.REJECT})


async def _no_survey(account_id: AccountId) -> str:
    return ""


class Routing:
    """Who answers. `run` must be running for offers to be made; `start` comes before it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        conversations: Conversations,
        directory: AgentDirectory,
        survey_app: SurveyApp = _no_survey,
        timing: Timing = DEFAULT_TIMING,
    ) -> None:
        self._database = database
        self._clock = clock
        self._conversations = conversations
        self._directory = directory
        self._survey_app = survey_app
        self._board = Board()
        self._presence = Presence(database, clock, self._board, timing.grace_ms)
        self._listeners: list[RingListener] = []
        self._ringing = Ringing(database, conversations, self._board, self._tell, timing.ring_life_ms)
        self.dispatcher = Dispatcher(
            clock,
            self._board,
            Situations(database, directory, self._board, timing.rest_ms),
            self._ringing,
            Suggestions(database, clock, conversations, self._board, timing.ring_life_ms),
        )
        self._departures = Departures(database, clock, conversations, self._ended)
        self._presence.on_change(lambda state: self.dispatcher.look(state.account_id))
        conversations.offered_to = self._board.holds_ring
        conversations.on_change(self.dispatcher.heard)

    def on_ring(self, listener: RingListener) -> None:
        """Call `listener` after each commit that makes or ends a ring, in commit order."""
        self._listeners.append(listener)

    def on_agent_state(self, listener: StateListener) -> None:
        """Call `listener` after each commit of an agent's state, in commit order."""
        self._presence.on_change(listener)

    async def start(self) -> None:
        """Take up what was so before a restart."""
        await self._presence.start()
        await self.dispatcher.start()

    async def run(self) -> Never:
        """Make offers, end rings and states in time, until cancelled. The caller owns the task."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._presence.run(), name="routing.presence")
            tasks.create_task(self._departures.run(), name="routing.departures")
            await self.dispatcher.run()

    async def end_grace(self) -> None:
        """Set OFFLINE who has been without a socket for too long; `run` does it each second."""
        await self._presence.end_grace()

    def look_again(self, account_id: AccountId) -> None:
        """Something that routing does not hear of changed: skills or capacity of an agent, or that it is gone."""
        self.dispatcher.look(account_id)
        self._departures.look()

    async def clear_departed(self) -> None:
        """Take deleted and disabled agents out of their conversations; `run` does it when told, and each 10 s."""
        await self._departures.clear()

    # fields of a conversation

    async def update_fields(
        self,
        who: Principal,
        conversation_id: str,
        dialog_id: str | None,
        changes: Sequence[FieldChange],
    ) -> str:
        """Apply all changes in their order, or none; gives the text that tells of success.

        Raises ConversationNotFound, MayNotChange, ConversationClosed, ParticipantAbsent,
        AgentAlreadyAssigned, AgentNotFound, DialogNotFound, DialogClosed, FieldInvalid.
        Source: docs/protocol.md 5.5.
        """
        fields.check_changes(changes)
        await self._conversations.get_for(who, conversation_id)
        items = [await self._item(who, change) for change in changes]
        asked = fields.Asked(who, items, self._clock.now_ms(), await self._survey(who.account_id, changes))
        ended: list[Ring] = []

        async def decide(before: Conversation, tx: Transaction) -> Conversation:
            ended.clear()
            waiting = await store.waiting_rings_of(tx, before.account_id, before.conversation_id)
            holds_ring = any(r.agent_id == who.id and rings.is_waiting(r, asked.now_ms) for r in waiting)
            after = fields.apply_all(before, asked, holds_ring=holds_ring)
            if after is not before:
                ended[:] = await store.settle_rings(tx, _settled(who, waiting, after, asked))
            return after

        after = await self._conversations.change(
            who.account_id, conversation_id, decide, lambda c: self._ended(ended, c)
        )
        return fields.success_text(changes, after)

    # rings

    async def update_ring(self, who: Principal, ring_id: str, ring_state: RingState) -> None:
        """Accept or reject an offer. Of two who accept at once one wins; an accept repeated is fine.

        Raises RingNotFound, RingSettled, ConversationClosed, AgentAlreadyAssigned, FieldInvalid.
        """
        if ring_state not in {RingState.ACCEPTED, RingState.REJECTED}:
            raise FieldInvalid("ringState is ACCEPTED or REJECTED")
        ended: list[Ring] = []

        async def decide(before: Conversation, tx: Transaction) -> Conversation:
            ended.clear()
            now_ms = self._clock.now_ms()
            found = await store.find_ring(tx, who.account_id, ring_id)
            if ring_state is RingState.ACCEPTED and _accepted_before(who, found, before):
                return before
            ring = rings.check_answer(found, who.id, now_ms)
            if ring_state is RingState.REJECTED:
                after, settled = _reject(ring, before, now_ms)
            else:
                rules.check_open(before)
                after = participants.accept(before, _assigned(who), now_ms)
                waiting = await store.waiting_rings_of(tx, who.account_id, before.conversation_id)
                settled = rings.settle(waiting, after, now_ms)
            ended[:] = await store.settle_rings(tx, settled)
            return after

        conversation_id = ring_id.partition("_")[0]
        try:
            await self._conversations.change(
                who.account_id, conversation_id, decide, lambda c: self._ended(ended, c)
            )
        except ConversationNotFound:
            raise RingNotFound from None

    def rings_of(self, account_id: AccountId, agent_id: ParticipantId) -> list[RingView]:
        """The rings that wait for an agent's answer."""
        now_ms = self._clock.now_ms()
        waiting = self._board.rings_of_agent(account_id, agent_id)
        return [self._ringing.view(ring) for ring in waiting if rings.is_waiting(ring, now_ms)]

    # agent states

    async def set_agent_state(
        self,
        who: Principal,
        availability: Availability,
        channels: Sequence[str] = (),
        description: str = "",
    ) -> AgentState:
        """Raises MayNotChange for consumers."""
        return await self._presence.set_state(who, availability, channels, description)

    def agent_state(self, account_id: AccountId, agent_id: ParticipantId, old_id: str = "") -> AgentState:
        """The agent's state; OFFLINE when it never set one."""
        return self._board.state(account_id, agent_id) or AgentState(account_id, agent_id, old_id)

    def agent_states(self, account_id: AccountId) -> list[AgentState]:
        """Of all agents who set one since they were OFFLINE before the last restart."""
        return self._board.states(account_id)

    def agent_connected(self, who: Principal) -> None:
        """One more socket of an agent is open."""
        self._presence.connected(who)
        self.dispatcher.look(who.account_id)

    def agent_disconnected(self, who: Principal) -> None:
        """One socket of an agent is gone; without any it goes OFFLINE after the grace."""
        self._presence.disconnected(who)

    async def _item(self, who: Principal, change: FieldChange) -> fields.Item:
        """Find out whom a change is about, before the unit of work. Raises AgentNotFound."""
        if not isinstance(change, ParticipantsChange):
            return fields.Item(change)
        if who.is_consumer:  # before anybody is looked up: it may not learn who works here
            raise MayNotChange(type(change).__name__)
        if not change.user_id or change.user_id in {who.id, who.old_id}:
            return fields.Item(change, Participant(id=who.id, role=change.role, old_id=who.old_id))
        agent = await self._directory.find_agent(who.account_id, change.user_id)
        if agent is not None and (agent.enabled or change.type in TAKING_AWAY):
            return fields.Item(change, Participant(id=agent.id, role=change.role, old_id=agent.old_id))
        if change.type in TAKING_AWAY:
            raise ParticipantAbsent
        raise AgentNotFound

    async def _survey(self, account_id: AccountId, changes: Sequence[FieldChange]) -> Survey | None:
        if not any(isinstance(change, CloseDialog) for change in changes):
            return None
        app_id = await self._survey_app(account_id)
        return Survey(DialogId(new_short_id()), app_id) if app_id else None

    def _ended(self, ended: Sequence[Ring], conversation: Conversation) -> None:
        self._board.put_rings(ended)
        for ring in ended:
            self._tell(rings.view(ring, conversation))
        if ended:
            self.dispatcher.look(conversation.account_id)

    def _tell(self, view: RingView) -> None:
        for listener in self._listeners:
            listener(view.ring.account_id, view.ring.agent_id, view)


def _assigned(who: Principal) -> Participant:
    return Participant(id=who.id, role=Role.ASSIGNED_AGENT, old_id=who.old_id)


def _accepted_before(who: Principal, ring: Ring | None, conversation: Conversation) -> bool:
    """Whether this very accept was done already, and still stands."""
    return (
        ring is not None
        and ring.agent_id == who.id
        and ring.state is RingState.ACCEPTED
        and Role.ASSIGNED_AGENT in conversation.roles_of(who.id)
    )


def _reject(ring: Ring, before: Conversation, now_ms: int) -> tuple[Conversation, list[Ring]]:
    is_suggested = any(p.id == ring.agent_id for p in before.suggested_agents)
    after = participants.reject(before, ring.agent_id, now_ms) if is_suggested else before
    return after, [rings.end(ring, RingState.REJECTED, now_ms)]


def _settled(who: Principal, waiting: Sequence[Ring], after: Conversation, asked: fields.Asked) -> list[Ring]:
    """How rings end by a request; whose agent itself said REJECT is REJECTED, not CANCELLED."""
    rejects = any(
        isinstance(i.change, ParticipantsChange)
        and i.change.type is ChangeType.REJECT
        and i.subject is not None
        and i.subject.id == who.id
        for i in asked.items
    )
    return [
        msgspec.structs.replace(ring, state=RingState.REJECTED)
        if rejects and ring.agent_id == who.id and ring.state is RingState.CANCELLED
        else ring
        for ring in rings.settle(waiting, after, asked.now_ms)
    ]
