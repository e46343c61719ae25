"""Offers over a real database: who is rung, when, and who gets it."""

import asyncio
from collections.abc import Sequence

import pytest

from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.backends.database.port import Row
from talkwire.conversations.errors import ConversationClosed
from talkwire.conversations.model import Role, TtrType
from talkwire.kernel.errors import Invalid, NotFound
from talkwire.kernel.ids import SkillId
from talkwire.routing.errors import RingNotFound, RingSettled
from talkwire.routing.jobs import jobs
from talkwire.routing.model import (
    Availability,
    ChangeType,
    CloseConversation,
    ParticipantsChange,
    RingState,
    SkillChange,
)
from talkwire.routing.skills import Skills


async def test_an_online_agent_is_rung_for_a_waiting_conversation(brand: Brand) -> None:
    agent = await brand.online()
    opened = await brand.open()
    await brand.settle()
    [view] = brand.rung
    assert view.ring.agent_id == agent.id
    assert view.ring.state is RingState.WAITING
    assert view.ring.ring_id.startswith(f"{opened.conversation_id}_{ACCOUNT}_")
    assert view.ring.expires_at_ms - view.ring.created_at_ms == 72_000
    assert not view.task_completed
    assert view.routing_task_id == opened.conversation_id


async def test_only_old_rings_that_have_ended_are_forgotten(brand: Brand) -> None:
    agent = await brand.online()
    await brand.held_by(agent)
    waiting = await brand.open()
    await brand.settle()
    [job] = jobs(brand.database, brand.clock)

    async def kept() -> set[str]:
        return {row["conversation_id"] for row in await brand.database.read("SELECT * FROM rings")}

    await job.run()
    assert len(await kept()) == 2
    brand.clock.advance(days=31)
    await job.run()
    assert await kept() == {waiting.conversation_id}


async def test_a_conversation_that_waited_before_the_agent_came_is_offered_then(brand: Brand) -> None:
    await brand.open()
    await brand.settle()
    agent = await brand.online()
    await brand.settle()
    assert len(brand.rings(agent)) == 1


@pytest.mark.parametrize(
    "availability", [Availability.AWAY, Availability.BACK_SOON, Availability.OFFLINE, Availability.OCCUPIED]
)
async def test_nobody_but_the_online_is_rung_for_a_new_conversation(
    brand: Brand, availability: Availability
) -> None:
    agent = brand.agent()
    await brand.come_online(agent, availability)
    await brand.open()
    await brand.settle()
    assert brand.rings(agent) == []


async def test_an_occupied_agent_is_rung_for_a_conversation_that_somebody_gave_back(brand: Brand) -> None:
    first = await brand.online()
    conversation = await brand.held_by(first)
    await brand.routing.set_agent_state(first, Availability.AWAY)
    occupied = brand.agent()
    await brand.come_online(occupied, Availability.OCCUPIED)
    await brand.update(first, conversation.conversation_id, remove_assigned())
    await brand.settle()
    assert len(brand.rings(occupied)) == 1


async def test_an_agent_without_a_socket_is_not_rung(brand: Brand) -> None:
    agent = await brand.online()
    brand.routing.agent_disconnected(agent)
    await brand.open()
    await brand.settle()
    assert brand.rings(agent) == []


async def test_accepting_assigns_the_agent_and_cancels_the_other_rings(brand: Brand) -> None:
    winner, other = await brand.online(), await brand.online()
    opened = await brand.open()
    await brand.settle()
    assert len(brand.rings(other)) == 1
    brand.rung.clear()
    await brand.answer(winner, opened.conversation_id)
    now = await brand.now(opened.conversation_id)
    assert now.roles_of(winner.id) == (Role.ASSIGNED_AGENT,)
    assert now.queued_at_ms == 0
    ended = {view.ring.agent_id: view for view in brand.rung}
    assert ended[winner.id].ring.state is RingState.ACCEPTED
    assert ended[other.id].ring.state is RingState.CANCELLED
    assert ended[other.id].task_completed
    assert ended[other.id].assigned_agent_id == winner.id
    assert brand.rings(other) == []


async def test_of_two_who_accept_at_once_one_gets_it(brand: Brand) -> None:
    agents = [await brand.online(), await brand.online(), await brand.online()]
    opened = await brand.open()
    await brand.settle()
    answers = await asyncio.gather(
        *(brand.answer(agent, opened.conversation_id) for agent in agents), return_exceptions=True
    )
    refusals = [answer for answer in answers if answer is not None]
    assert len(refusals) == 2
    assert all(isinstance(refusal, Invalid | NotFound) for refusal in refusals)
    now = await brand.now(opened.conversation_id)
    assert [p.role for p in now.participants].count(Role.ASSIGNED_AGENT) == 1


async def test_accepting_twice_is_accepting_once(brand: Brand) -> None:
    agent = await brand.online()
    opened = await brand.open()
    await brand.settle()
    [ring] = brand.rings(agent)
    for _ in range(2):
        await brand.routing.update_ring(agent, ring.ring_id, RingState.ACCEPTED)
    assert (await brand.now(opened.conversation_id)).version == 2


async def test_another_agents_ring_looks_like_none(brand: Brand) -> None:
    agent = await brand.online()
    await brand.open()
    await brand.settle()
    [ring] = brand.rings(agent)
    with pytest.raises(RingNotFound):
        await brand.routing.update_ring(brand.agent(), ring.ring_id, RingState.ACCEPTED)
    with pytest.raises(RingNotFound):
        await brand.routing.update_ring(agent, "no_such_ring", RingState.ACCEPTED)


async def test_a_ring_ends_by_the_clock_even_before_anybody_wrote_it_down(brand: Brand) -> None:
    agent = await brand.online()
    await brand.open()
    await brand.settle()
    [ring] = brand.rings(agent)
    brand.clock.advance(seconds=72)
    assert brand.rings(agent) == []
    with pytest.raises(RingSettled):
        await brand.routing.update_ring(agent, ring.ring_id, RingState.ACCEPTED)


async def test_an_expired_ring_goes_to_another_agent_before_it_comes_back(brand: Brand) -> None:
    first = await brand.online()
    await brand.open()
    await brand.settle()
    second = brand.agent()
    brand.clock.advance(seconds=71)
    await brand.come_online(second)
    brand.clock.advance(seconds=1)
    await brand.settle()
    assert brand.rung[-2].ring.state is RingState.EXPIRED
    assert len(brand.rings(second)) == 1
    assert brand.rings(first) == []
    await brand.pass_time(72)
    assert len(brand.rings(first)) == 1


async def test_the_only_agent_is_rung_again_after_a_rest(brand: Brand) -> None:
    agent = await brand.online()
    opened = await brand.open()
    await brand.settle()
    await brand.answer(agent, opened.conversation_id, RingState.REJECTED)
    await brand.settle()
    assert brand.rings(agent) == []
    await brand.pass_time(9.9)
    assert brand.rings(agent) == []
    await brand.pass_time(0.1)
    assert len(brand.rings(agent)) == 1


async def test_a_conversation_is_offered_to_three_agents_at_most(brand: Brand) -> None:
    agents = [await brand.online() for _ in range(5)]
    await brand.open()
    await brand.settle()
    rings = [ring for agent in agents for ring in brand.rings(agent)]
    assert len(rings) == 3
    assert len({ring.ring_id for ring in rings}) == 3


async def test_capacity_counts_conversations_and_rings(brand: Brand) -> None:
    agent = await brand.online(capacity=2)
    held = await brand.held_by(agent)
    for _ in range(2):
        await brand.open()
    await brand.settle()
    assert len(brand.rings(agent)) == 1
    await brand.update(agent, held.conversation_id, CloseConversation())
    await brand.settle()
    assert len(brand.rings(agent)) == 2


async def test_closing_cancels_the_rings(brand: Brand) -> None:
    agent, who = await brand.online(), consumer()
    opened = await brand.open(who)
    await brand.settle()
    [ring] = brand.rings(agent)
    await brand.update(who, opened.conversation_id, CloseConversation())
    assert brand.rung[-1].ring.state is RingState.CANCELLED
    with pytest.raises(RingSettled):
        await brand.routing.update_ring(agent, ring.ring_id, RingState.ACCEPTED)
    assert ConversationClosed.kind is RingSettled.kind


async def test_only_agents_with_the_skill_are_rung(brand: Brand) -> None:
    skill = await Skills(brand.database, brand.clock).create(ACCOUNT, "sales")
    seller, other = await brand.online(skills=[skill.skill_id]), await brand.online()
    await brand.open(skill=skill.skill_id)
    await brand.settle()
    assert len(brand.rings(seller)) == 1
    assert brand.rings(other) == []


async def test_another_skill_cancels_the_rings_and_rings_others(brand: Brand) -> None:
    skills = Skills(brand.database, brand.clock)
    sales, care = await skills.create(ACCOUNT, "sales"), await skills.create(ACCOUNT, "care")
    seller, carer = await brand.online(skills=[sales.skill_id]), await brand.online(skills=[care.skill_id])
    manager = brand.agent("manager")
    opened = await brand.open(skill=sales.skill_id)
    await brand.settle()
    change = ParticipantsChange(ChangeType.ADD, Role.MANAGER), SkillChange(SkillId(care.skill_id))
    await brand.update(manager, opened.conversation_id, *change)
    await brand.settle()
    assert brand.rings(seller) == []
    assert len(brand.rings(carer)) == 1


async def test_a_skill_nobody_knows_keeps_nobody_waiting(brand: Brand) -> None:
    agent = await brand.online()
    await brand.open(skill="404")
    await brand.settle()
    assert len(brand.rings(agent)) == 1


async def test_a_long_queue_of_another_skill_hides_nobody(brand: Brand) -> None:
    skill = await Skills(brand.database, brand.clock).create(ACCOUNT, "sales")
    for _ in range(40):
        await brand.open(skill=skill.skill_id)
    opened = await brand.open()
    agent = await brand.online()
    await brand.settle()
    assert [ring.conversation_id for ring in brand.rings(agent)] == [opened.conversation_id]


async def test_an_agent_with_many_places_is_rung_for_more_than_the_head_of_the_queue(brand: Brand) -> None:
    for _ in range(70):
        await brand.open()
    agent = await brand.online(capacity=65)
    await brand.settle()
    assert len(brand.rings(agent)) == 65


async def test_skills_that_consumers_made_up_are_looked_at_in_their_order_and_not_all_at_once(
    brand: Brand,
) -> None:
    ids = []
    for number in range(100):
        ids.append((await brand.open(skill=str(10_000 - number))).conversation_id)
        brand.clock.advance(seconds=1)
    urgent = await brand.open(skill="20000", ttr=TtrType.URGENT)
    agent = await brand.online(capacity=75)
    reads: list[str] = []
    read = brand.database.read

    async def counted(sql: str, *args: object) -> Sequence[Row]:
        reads.append(sql)
        return await read(sql, *args)

    brand.database.read = counted  # type: ignore[method-assign]
    await brand.routing.dispatcher.dispatch(ACCOUNT)
    assert len(reads) < 50
    assert {r.conversation_id for r in brand.rings(agent)} == {urgent.conversation_id, *ids[:29]}
    await brand.settle()
    assert {r.conversation_id for r in brand.rings(agent)} == {urgent.conversation_id, *ids[:74]}


async def test_urgent_before_normal_then_longest_wait_first(brand: Brand) -> None:
    ids = []
    for ttr in (TtrType.NORMAL, TtrType.NORMAL, TtrType.URGENT):
        ids.append((await brand.open(ttr=ttr)).conversation_id)
        brand.clock.advance(seconds=1)
    agent = await brand.online(capacity=1)
    served = []
    for _ in range(3):
        await brand.settle()
        [ring] = brand.rings(agent)
        served.append(ring.conversation_id)
        await brand.answer(agent, ring.conversation_id)
        await brand.update(agent, ring.conversation_id, CloseConversation())
    assert served == [ids[2], ids[0], ids[1]]


async def test_rings_and_states_outlive_a_restart(brand: Brand) -> None:
    agent = await brand.online()
    opened = await brand.open()
    await brand.settle()
    after = brand.restarted()
    await after.routing.start()
    await after.settle()
    assert [ring.conversation_id for ring in after.rings(agent)] == [opened.conversation_id]
    after.routing.agent_connected(agent)
    await after.answer(agent, opened.conversation_id)
    assert (await after.now(opened.conversation_id)).roles_of(agent.id) == (Role.ASSIGNED_AGENT,)


async def test_rings_that_ran_out_while_we_were_down_are_made_anew(brand: Brand) -> None:
    agent = await brand.online()
    await brand.open()
    await brand.settle()
    after = brand.restarted()
    brand.clock.advance(seconds=100)
    await after.routing.start()
    after.routing.agent_connected(agent)
    await after.settle()
    assert after.rung[0].ring.state is RingState.EXPIRED
    await after.pass_time(10)
    assert len(after.rings(agent)) == 1


async def test_without_agents_a_conversation_costs_routing_nothing(brand: Brand) -> None:
    await brand.open()
    assert brand.routing.dispatcher.take_due() == []


def remove_assigned() -> ParticipantsChange:
    return ParticipantsChange(ChangeType.REMOVE, Role.ASSIGNED_AGENT)
