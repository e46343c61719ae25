"""What must hold on both databases when things happen at the same moment: one accept, one opening."""

import asyncio

import pytest

from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.backends.database.port import Database
from talkwire.conversations.model import NewConversation, Role, State, Ttr, TtrType
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import DialogId
from talkwire.routing.model import Availability, ChangeType, CloseDialog, ParticipantsChange, RingState


async def test_of_many_who_accept_at_once_one_gets_it(any_database: Database) -> None:
    brand = Brand(any_database)
    agents = [await brand.online() for _ in range(3)]
    opened = [(await brand.open()).conversation_id for _ in range(10)]
    await brand.settle()
    waiting = [(agent, ring) for agent in agents for ring in brand.rings(agent)]
    assert len(waiting) >= len(opened)
    answers = await asyncio.gather(
        *(brand.answer(agent, ring.conversation_id) for agent, ring in waiting),
        *(brand.routing.dispatcher.dispatch(ACCOUNT) for _ in range(3)),
        return_exceptions=True,
    )
    assert all(answer is None or isinstance(answer, TalkwireError) for answer in answers)
    for conversation_id in opened:
        roles = [p.role for p in (await brand.now(conversation_id)).participants]
        assert roles.count(Role.ASSIGNED_AGENT) == 1
    await brand.settle()
    assert [brand.rings(agent) for agent in agents] == [[], [], []]


async def test_the_same_key_at_the_same_moment_opens_once(any_database: Database) -> None:
    brand, who = Brand(any_database), consumer()
    new = NewConversation(
        account_id=ACCOUNT,
        consumer_id=who.id,
        ttr=Ttr(TtrType.NORMAL, 600),
        idempotency_key="k",
        fingerprint=b"1",
    )
    views = await asyncio.gather(*(brand.conversations.open(new) for _ in range(10)))
    assert len({view.conversation.conversation_id for view in views}) == 1


@pytest.mark.parametrize("meanwhile", ["a transfer", "a close", "an agent who leaves"])
async def test_an_accept_and_what_goes_against_it_end_in_one_of_both(
    any_database: Database, meanwhile: str
) -> None:
    brand = Brand(any_database, survey_app="app-1")
    agent, other, manager, who = await brand.online(), brand.agent(), brand.agent("manager"), consumer()
    brand.routing.agent_connected(other)
    ids = [(await brand.open(who)).conversation_id for _ in range(5)]
    joined = ParticipantsChange(ChangeType.ADD, Role.MANAGER)
    for conversation_id in ids:
        await brand.update(manager, conversation_id, joined)
    await brand.settle()

    async def against(conversation_id: str) -> object:
        if meanwhile == "a transfer":
            suggest = ParticipantsChange(ChangeType.SUGGEST, Role.ASSIGNED_AGENT, other.id)
            return await brand.update(manager, conversation_id, suggest)
        if meanwhile == "a close":
            return await brand.update(who, conversation_id, CloseDialog(DialogId(conversation_id)))
        return await brand.routing.set_agent_state(agent, Availability.OFFLINE)

    for number, ring in enumerate(brand.rings(agent)):
        at_once = [
            brand.routing.update_ring(agent, ring.ring_id, RingState.ACCEPTED),
            against(ring.conversation_id),
        ]
        outcomes = await asyncio.gather(
            *(at_once if number % 2 else at_once[::-1]),
            brand.routing.dispatcher.dispatch(ACCOUNT),
            return_exceptions=True,
        )
        assert all(not isinstance(o, BaseException) or isinstance(o, TalkwireError) for o in outcomes)
    await brand.settle()
    for conversation_id in ids:
        now = await brand.now(conversation_id)
        rings = [r for a in (agent, other) for r in brand.rings(a) if r.conversation_id == conversation_id]
        assert len([p for p in now.participants if p.role is Role.ASSIGNED_AGENT]) <= 2
        assert len(rings) <= 1
        if now.state is not State.OPEN:
            assert (rings, now.queued_at_ms, now.suggested_agents) == ([], 0, ())
        elif now.assigned_agent is None or now.suggested_agents:
            assert now.suggested_agents or now.queued_at_ms
        else:
            assert (rings, now.queued_at_ms) == ([], 0)
    rows = await any_database.read("SELECT ring_id FROM rings WHERE state = 'WAITING'")
    assert {row["ring_id"] for row in rows} == {r.ring_id for a in (agent, other) for r in brand.rings(a)}
