"""The SQL of searching, on both databases."""

from collections.abc import Callable

import msgspec
import pytest

from routing_rooms import ACCOUNT, consumer, principal
from talkwire.backends.database.port import Database
from talkwire.conversations.model import (
    CloseReason,
    Conversation,
    NewConversation,
    Participant,
    Role,
    State,
    Ttr,
    TtrType,
)
from talkwire.conversations.participants import add_participant, remove_participant
from talkwire.conversations.rules import close, set_skill
from talkwire.conversations.service import Conversations
from talkwire.conversations.steps import StepKind
from talkwire.conversations.views import Views
from talkwire.history import search_store as store
from talkwire.history.search_model import Page, Query, Span
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId, ConversationId, SkillId

AGENT, OTHER = principal(), principal()
MINUTE = 60_000


class Archive:
    """Four conversations, a minute apart: the first changed hands and skill, the second is closed."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = MovableClock()
        self.conversations = Conversations(database, self.clock, Views())
        self.ids: list[ConversationId] = []
        self.people = [consumer(), consumer()]

    async def fill(self) -> None:
        for number in range(4):
            new = NewConversation(
                account_id=ACCOUNT,
                consumer_id=self.people[number % 2].id,
                ttr=Ttr(TtrType.NORMAL, 60),
                skill_id=SkillId(str(number)),
            )
            view = await self.conversations.open(new)
            self.ids.append(view.conversation.conversation_id)
            self.clock.advance(seconds=60)
        agent = Participant(AGENT.id, Role.ASSIGNED_AGENT, AGENT.old_id)
        other = Participant(OTHER.id, Role.ASSIGNED_AGENT, OTHER.old_id)
        await self.change(0, lambda c: add_participant(c, agent, 1))
        await self.change(
            0, lambda c: set_skill(remove_participant(c, AGENT.id, Role.ASSIGNED_AGENT, 1), SkillId("9"))
        )
        await self.change(0, lambda c: add_participant(c, other, 1))
        await self.change(1, lambda c: close(c, CloseReason.AGENT, self.clock.now_ms()))

    async def change(self, number: int, change: Callable[[Conversation], Conversation]) -> None:
        async def decide(before: Conversation, _tx: object) -> Conversation:
            return change(before)

        await self.conversations.change(ACCOUNT, self.ids[number], decide)

    async def found(self, account_id: AccountId = ACCOUNT, **filters: object) -> list[int]:
        """The numbers of the conversations meant, oldest first; their count agrees."""
        query = Query(page=Page(newest_first=False), **filters)  # type: ignore[arg-type]
        now_ms = self.clock.now_ms()
        ids = await store.page(self.database, account_id, query, now_ms)
        assert await store.count(self.database, account_id, query, now_ms) == len(ids)
        if query.agent_ids or query.seen_by:
            few = msgspec.structs.replace(query, is_few=True)
            assert await store.page(self.database, account_id, few, now_ms) == ids
            assert await store.count(self.database, account_id, few, now_ms) == len(ids)
        return [self.ids.index(conversation_id) for conversation_id in ids]


@pytest.fixture
async def archive(any_database: Database) -> Archive:
    made = Archive(any_database)
    await made.fill()
    return made


async def test_every_filter_finds_what_it_means_and_nothing_else(archive: Archive) -> None:
    start = archive.clock.now_ms() - 4 * MINUTE
    assert await archive.found() == [0, 1, 2, 3]
    assert await archive.found(started=Span(start + MINUTE, start + 2 * MINUTE)) == [1, 2]
    assert await archive.found(ended=Span(start, start + 9 * MINUTE)) == [1]
    assert await archive.found(states=frozenset({State.CLOSE})) == [1]
    assert await archive.found(states=frozenset({State.OPEN, State.CLOSE})) == [0, 1, 2, 3]
    assert await archive.found(consumer_id=archive.people[1].id) == [1, 3]
    assert await archive.found(conversation_ids=(archive.ids[2], "x")) == [2]
    assert await archive.found(agent_ids=frozenset({AGENT.id})) == [0]  # though it left
    assert await archive.found(agent_ids=frozenset()) == []
    assert await archive.found(latest_agent_ids=frozenset({AGENT.id})) == []
    assert await archive.found(latest_agent_ids=frozenset({OTHER.id})) == [0]
    assert await archive.found(latest_skill_ids=frozenset({"9"})) == [0]
    assert await archive.found(skill_ids=frozenset({"0", "2"})) == [0, 2]  # at any time
    assert await archive.found(seen_by=OTHER.id) == [0]
    assert await archive.found(
        seen_by=OTHER.id, agent_ids=frozenset({AGENT.id}), skill_ids=frozenset({"9"})
    ) == [0]
    assert await archive.found(seen_by=OTHER.id, agent_ids=frozenset({"x"})) == []
    assert await archive.found(seen_by=OTHER.id, states=frozenset({State.CLOSE})) == []
    assert await archive.found(duration_ms=Span(3 * MINUTE, 3 * MINUTE)) == [1]
    assert await archive.found(account_id=AccountId("87654321")) == []


async def test_pages_follow_each_other_in_either_order(archive: Archive) -> None:
    async def page(offset: int, *, newest_first: bool) -> list[int]:
        query = Query(page=Page(offset, 3, newest_first=newest_first))
        ids = await store.page(archive.database, ACCOUNT, query, archive.clock.now_ms())
        return [archive.ids.index(conversation_id) for conversation_id in ids]

    assert [await page(at, newest_first=True) for at in (0, 3)] == [[3, 2, 1], [0]]
    assert [await page(at, newest_first=False) for at in (0, 3, 6)] == [[0, 1, 2], [3], []]


async def test_steps_tell_who_came_and_went_under_which_skill(archive: Archive) -> None:
    found = await store.steps(archive.database, ACCOUNT, archive.ids)
    told = [(s.kind, s.participant_id, s.skill_id) for s in found[archive.ids[0]]]
    assert told == [
        (StepKind.SKILL, "", "0"),
        (StepKind.JOINED, AGENT.id, "0"),
        (StepKind.SKILL, "", "9"),
        (StepKind.LEFT, AGENT.id, "9"),
        (StepKind.JOINED, OTHER.id, "9"),
    ]
    assert [s.kind for s in found[archive.ids[1]]] == [StepKind.SKILL]


async def test_whoever_took_part_in_few_is_known(archive: Archive) -> None:
    assert await store.took_part_in_few(archive.database, ACCOUNT, {AGENT.id, OTHER.id})
