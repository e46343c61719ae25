"""Whatever agents, consumers and the clock do: one agent has a conversation, and one accept wins."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.conversations.model import Conversation, ParticipantState, Role, State
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import Views
from talkwire.identity.model import Principal
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import DialogId, SkillId
from talkwire.routing.model import (
    MAX_OFFERS,
    Availability,
    ChangeType,
    CloseConversation,
    CloseDialog,
    FieldChange,
    ParticipantsChange,
    RingState,
    SkillChange,
)

PROFILES = ("agent", "agent", "agent", "bot", "manager")
WHO = st.integers(0, len(PROFILES) - 1)
WHICH = st.integers(0, 3)
ROLES = st.sampled_from([Role.ASSIGNED_AGENT, Role.MANAGER, Role.READER])


class Talk(RuleBasedStateMachine):
    """Five people of a brand and a few conversations."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="talkwire-"))
        self.loop = asyncio.new_event_loop()
        self.people: list[Principal] = []
        self.ids: list[str] = []
        self.accepted: Counter[str] = Counter()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def open_the_brand(self) -> None:
        self.do(self._open_the_brand())

    async def _open_the_brand(self) -> None:
        self.database = await SqliteDatabase.open(self.folder / "talkwire.db")
        await self.database.migrate()
        self.brand = Brand(self.database, survey_app="app-1")
        self.people = [self.brand.agent(profile, capacity=2) for profile in PROFILES]
        for who in self.people:
            self.brand.routing.agent_connected(who)
        self.owner = consumer()

    @rule(who=WHO, availability=st.sampled_from(list(Availability)))
    def set_state(self, who: int, availability: Availability) -> None:
        self.do(self.brand.routing.set_agent_state(self.people[who], availability))
        self.do(self.brand.settle())

    @rule()
    def open_one(self) -> None:
        if len(self.ids) < 4:
            self.ids.append(self.do(self.brand.open(self.owner)).conversation_id)
            self.do(self.brand.settle())

    @rule(seconds=st.sampled_from([1, 11, 40, 73]))
    def wait(self, seconds: int) -> None:
        self.do(self.brand.pass_time(seconds))

    @rule(which=WHICH, who=WHO, kind=st.sampled_from(list(ChangeType)), role=ROLES, about=st.none() | WHO)
    def change_participants(
        self, which: int, who: int, kind: ChangeType, role: Role, about: int | None
    ) -> None:
        user_id = "" if about is None else self.people[about].id
        self._update(which, self.people[who], ParticipantsChange(kind, role, user_id))

    @rule(which=WHICH, who=WHO, to=WHO)
    def transfer(self, which: int, who: int, to: int) -> None:
        self._update(
            which,
            self.people[who],
            ParticipantsChange(ChangeType.REMOVE, Role.ASSIGNED_AGENT),
            ParticipantsChange(ChangeType.SUGGEST, Role.ASSIGNED_AGENT, self.people[to].id),
            SkillChange(SkillId("5")),
        )

    @rule(which=WHICH)
    def close(self, which: int) -> None:
        self._update(which, self.owner, CloseConversation())

    @rule(which=WHICH)
    def close_main(self, which: int) -> None:
        """A survey runs from then on."""
        if which < len(self.ids):
            self._update(which, self.owner, CloseDialog(DialogId(self.ids[which])))

    @rule(state=st.sampled_from([RingState.ACCEPTED, RingState.REJECTED]), settle=st.booleans())
    def everybody_answers_at_once(self, state: RingState, *, settle: bool) -> None:
        rings = [(who, ring) for who in self.people for ring in self.brand.rings(who)]

        async def answer() -> list[BaseException | None]:
            return await asyncio.gather(
                *(self.brand.routing.update_ring(who, ring.ring_id, state) for who, ring in rings),
                return_exceptions=True,
            )

        outcomes = self.do(answer())
        for outcome in outcomes:
            assert outcome is None or isinstance(outcome, TalkwireError)
        if state is RingState.ACCEPTED:
            won = Counter(
                ring.conversation_id
                for (_, ring), outcome in zip(rings, outcomes, strict=True)
                if outcome is None
            )
            assert set(won.values()) <= {1}
            assert set(won) == {ring.conversation_id for _, ring in rings}
        if settle:
            self.do(self.brand.settle())

    def _update(self, which: int, who: Principal, *changes: FieldChange) -> None:
        if which < len(self.ids):
            try:
                self.do(self.brand.update(who, self.ids[which], *changes))
            except TalkwireError:
                return
            self.do(self.brand.settle())

    @invariant()
    def one_agent_has_it(self) -> None:
        for now in self._conversations():
            active = [
                p
                for p in now.participants
                if p.role is Role.ASSIGNED_AGENT and p.state is ParticipantState.ACTIVE
            ]
            assert len(active) <= 1
            assert len({(p.id, p.role) for p in now.participants}) == len(now.participants)
            assert len(now.suggested_agents) <= 1
            waits = now.state is State.OPEN and not active
            assert (now.queued_at_ms > 0) is waits

    @invariant()
    def rings_are_few_and_for_what_waits(self) -> None:
        if not self.people:
            return
        self.do(self.brand.settle())
        rings = [ring for who in self.people for ring in self.brand.rings(who)]
        by_id = {now.conversation_id: now for now in self._conversations()}
        for conversation_id, count in Counter(ring.conversation_id for ring in rings).items():
            now = by_id[conversation_id]
            assert count <= MAX_OFFERS
            assert now.state is State.OPEN
            assert now.queued_at_ms > 0 or now.suggested_agents
        assert len({(ring.agent_id, ring.conversation_id) for ring in rings}) == len(rings)

    @invariant()
    def memory_says_what_the_database_says(self) -> None:
        if not self.ids:
            return
        cold = Conversations(self.database, self.brand.clock, Views())
        for conversation_id in self.ids:
            view = self.do(cold.view(ACCOUNT, conversation_id))
            assert view.conversation == self.do(self.brand.now(conversation_id))

    def _conversations(self) -> list[Conversation]:
        return [self.do(self.brand.now(conversation_id)) for conversation_id in self.ids]

    def teardown(self) -> None:
        if self.people:
            self.do(self.database.close())
        self.loop.close()
        shutil.rmtree(self.folder)


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
