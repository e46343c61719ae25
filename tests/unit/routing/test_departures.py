"""Agents who were deleted or disabled leave nothing in their hands, on both databases."""

import asyncio

import msgspec
import pytest

from database import PostgresServer, new_postgres_database, opened
from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.backends.database.migrations import list_migrations
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.database.sqlite import WORDS as SQLITE_WORDS
from talkwire.conversations.model import (
    Conversation,
    NewConversation,
    Participant,
    ParticipantState,
    Role,
    Ttr,
    TtrType,
)
from talkwire.conversations.participants import depart
from talkwire.conversations.store import find
from talkwire.identity import store as identity_store
from talkwire.identity.model import Principal
from talkwire.routing import departures_store, rings
from talkwire.routing.departures_store import GONE, Departed
from talkwire.routing.model import ChangeType, CloseConversation, ParticipantsChange, RingState


@pytest.fixture
def any_brand(any_database: Database) -> Brand:
    return Brand(any_database)


async def employ(brand: Brand, who: Principal) -> Principal:
    """Put an agent into the database too, where departures are looked for."""
    user = await brand.directory.find_agent(ACCOUNT, who.id)
    assert user is not None

    async def unit(tx: Transaction) -> None:
        await identity_store.insert_agent(tx, user, "")

    await brand.database.write(unit)
    return who


async def set_enabled(brand: Brand, who: Principal, *, enabled: bool) -> None:
    found = await brand.directory.find_agent(ACCOUNT, who.id)
    assert found is not None
    user = msgspec.structs.replace(found, enabled=enabled)

    async def unit(tx: Transaction) -> None:
        await identity_store.update_agent(tx, user)

    await brand.database.write(unit)


async def delete(brand: Brand, who: Principal) -> None:
    user = await brand.directory.find_agent(ACCOUNT, who.id)
    assert user is not None

    async def unit(tx: Transaction) -> None:
        await identity_store.delete_agent(tx, user, brand.clock.now_ms())

    await brand.database.write(unit)


def parts(conversation: Conversation, who: Principal) -> list[tuple[Role, ParticipantState]]:
    return [(p.role, p.state) for p in conversation.participants if p.id == who.id]


async def test_what_a_deleted_agent_held_goes_back_to_the_queue_and_rings_for_others(
    any_brand: Brand,
) -> None:
    brand = any_brand
    gone = await employ(brand, await brand.online())
    held = await brand.held_by(gone)
    other = await employ(brand, await brand.online())
    brand.clock.advance(seconds=5)
    await delete(brand, gone)
    await brand.routing.clear_departed()
    await brand.settle()
    after = await brand.now(held.conversation_id)
    assert after.assigned_agent is None
    assert (after.queued_at_ms, after.last_agent_id) == (brand.clock.now_ms(), gone.id)
    assert (after.skill_id, after.ttr, after.version) == (held.skill_id, held.ttr, held.version + 1)
    assert [r.conversation_id for r in brand.rings(other)] == [held.conversation_id]
    steps = await brand.database.read(
        "SELECT kind, participant_id FROM conversation_steps WHERE version = $1", after.version
    )
    assert [(row["kind"], row["participant_id"]) for row in steps] == [("LEFT", gone.id)]


async def test_nobody_is_looked_for_when_nobody_is_gone_and_once_done_it_is_done(any_brand: Brand) -> None:
    brand = any_brand
    agent = await employ(brand, await brand.online())
    held = await brand.held_by(agent)
    assert await departures_store.departed_to_clear(brand.database) == []
    await set_enabled(brand, agent, enabled=False)
    assert await departures_store.departed_to_clear(brand.database) == [Departed(ACCOUNT, agent.id)]
    await asyncio.gather(*(brand.routing.clear_departed() for _ in range(3)))
    assert (await brand.now(held.conversation_id)).version == held.version + 1
    assert await departures_store.departed_to_clear(brand.database) == []
    await set_enabled(brand, agent, enabled=False)  # saved again, for its name say
    assert await departures_store.departed_to_clear(brand.database) == []


async def test_suggestions_rings_and_other_roles_of_the_departed_end(any_brand: Brand) -> None:
    brand = any_brand
    keeper = await employ(brand, await brand.online("manager", capacity=1))
    held = await brand.held_by(keeper)
    gone = await employ(brand, await brand.online("manager"))
    rung = await brand.open()
    await brand.update(
        keeper,
        held.conversation_id,
        ParticipantsChange(ChangeType.SUGGEST, Role.ASSIGNED_AGENT, gone.id),
        ParticipantsChange(ChangeType.ADD, Role.MANAGER, gone.id),
    )
    await brand.settle()
    assert len(brand.rings(gone)) == 2
    await set_enabled(brand, gone, enabled=False)
    await brand.routing.clear_departed()
    after = await brand.now(held.conversation_id)
    assert parts(after, gone) == []
    assert parts(after, keeper) == [(Role.ASSIGNED_AGENT, ParticipantState.ACTIVE)]
    assert after.queued_at_ms == 0
    assert brand.rings(gone) == []
    ended = [v.ring for v in brand.rung if v.ring.agent_id == gone.id][-2:]
    assert {(r.conversation_id, r.state) for r in ended} == {
        (held.conversation_id, RingState.CANCELLED),
        (rung.conversation_id, RingState.CANCELLED),
    }


async def test_what_is_given_to_a_departed_agent_at_the_last_moment_is_found(any_brand: Brand) -> None:
    """By a node that had not heard of it: assigned, suggested, rung."""
    brand = any_brand
    manager = await employ(brand, await brand.online("manager", capacity=1))
    kept = await brand.held_by(manager)
    gone = await employ(brand, brand.agent())
    await set_enabled(brand, gone, enabled=False)
    await brand.routing.clear_departed()
    opened = (await brand.open()).conversation_id
    late = ParticipantsChange(ChangeType.ADD, Role.ASSIGNED_AGENT, gone.id)
    await brand.update(manager, opened, late)
    offer = ParticipantsChange(ChangeType.SUGGEST, Role.ASSIGNED_AGENT, gone.id)
    await brand.update(manager, kept.conversation_id, offer)
    assert await departures_store.departed_to_clear(brand.database) == [Departed(ACCOUNT, gone.id)]
    await brand.routing.clear_departed()
    for conversation_id in (opened, kept.conversation_id):
        assert parts(await brand.now(conversation_id), gone) == []
    await brand.come_online(gone)  # a socket that is not cut yet
    await brand.open()
    await brand.settle()
    assert len(brand.rings(gone)) == 1
    await brand.routing.clear_departed()
    assert brand.rings(gone) == []


async def test_an_agent_who_is_only_offline_keeps_its_conversations(brand: Brand) -> None:
    agent = await employ(brand, await brand.online())
    held = await brand.held_by(agent)
    brand.routing.agent_disconnected(agent)
    await brand.pass_time(3_600)
    await brand.routing.clear_departed()
    assert await brand.now(held.conversation_id) == held


async def test_who_is_enabled_again_before_anybody_looked_keeps_all_and_afterwards_gets_nothing_back(
    brand: Brand,
) -> None:
    agent = await employ(brand, await brand.online())
    held = await brand.held_by(agent)
    await set_enabled(brand, agent, enabled=False)
    await set_enabled(brand, agent, enabled=True)
    await brand.routing.clear_departed()
    assert await brand.now(held.conversation_id) == held
    await set_enabled(brand, agent, enabled=False)
    await brand.routing.clear_departed()
    await set_enabled(brand, agent, enabled=True)
    await brand.routing.clear_departed()
    assert parts(await brand.now(held.conversation_id), agent) == []


async def test_many_go_in_batches_and_closed_ones_stay_as_they_were(brand: Brand) -> None:
    agent = await employ(brand, await brand.online("bot", capacity=100))
    held = [await brand.held_by(agent) for _ in range(50)]
    closed = held.pop()
    await brand.update(agent, closed.conversation_id, CloseConversation())
    await delete(brand, agent)
    await brand.routing.clear_departed()
    assert parts(await brand.now(closed.conversation_id), agent)
    for conversation in held:
        assert (await brand.now(conversation.conversation_id)).queued_at_ms


async def test_a_crash_before_the_end_is_made_good_by_the_next_node(brand: Brand) -> None:
    agent = await employ(brand, await brand.online())
    held = await brand.held_by(agent)
    await delete(brand, agent)
    again = brand.restarted()
    await again.routing.start()
    await again.routing.clear_departed()
    assert (await again.now(held.conversation_id)).assigned_agent is None
    assert await brand.database.read("SELECT 1 FROM agents WHERE departure = $1", GONE) == []


async def test_two_nodes_that_look_at_once_take_each_conversation_back_once(postgres: PostgresServer) -> None:
    address = await new_postgres_database(postgres)
    async with opened("postgres", address) as one, opened("postgres", address) as two:
        brand, node = Brand(one), Brand(two)
        agent = await employ(brand, brand.agent())
        part = Participant(agent.id, Role.ASSIGNED_AGENT, agent.old_id)
        ttr = Ttr(TtrType.NORMAL, 600)
        new = NewConversation(account_id=ACCOUNT, consumer_id=consumer().id, ttr=ttr, agent=part)
        views = await asyncio.gather(*(brand.conversations.open(new) for _ in range(50)))
        await delete(brand, agent)
        await asyncio.gather(brand.routing.clear_departed(), node.routing.clear_departed())
        for view in views:
            found = await find(one, ACCOUNT, view.conversation.conversation_id)
            assert found is not None
            assert (found.version, found.assigned_agent, found.queued_at_ms > 0) == (2, None, True)
        assert await departures_store.departed_to_clear(two) == []


async def test_who_was_gone_before_departures_were_written_down_is_found_after_the_upgrade(
    any_brand: Brand,
) -> None:
    brand = any_brand
    here, off, deleted = [await employ(brand, brand.agent()) for _ in range(3)]
    await set_enabled(brand, off, enabled=False)
    await delete(brand, deleted)
    [step] = [m for m in list_migrations(SQLITE_WORDS) if m.name == "0012_departures"]
    [statement] = [s for s in step.statements if s.startswith("UPDATE")]

    async def unit(tx: Transaction) -> None:
        await tx.execute("UPDATE agents SET departure = 0")
        await tx.execute(statement)

    await brand.database.write(unit)
    found = {departed.agent_id for departed in await departures_store.departed_to_clear(brand.database)}
    assert found == {off.id, deleted.id}
    assert here.id not in found


async def test_departing_changes_nothing_where_the_agent_is_not(brand: Brand) -> None:
    agent = await brand.online()
    held = await brand.held_by(agent)
    stranger = brand.agent()
    assert depart(held, stranger.id, 1) is held
    twice = msgspec.structs.replace(
        held, participants=(*held.participants, Participant(agent.id, Role.MANAGER, agent.old_id))
    )
    assert [p.role for p in depart(twice, agent.id, 1).participants] == [Role.CONSUMER]


async def test_rings_of_others_stay_when_one_agent_departs(brand: Brand) -> None:
    first, second = await brand.online(), await brand.online()
    opened = await brand.open()
    await brand.settle()
    waiting = [*brand.rings(first), *brand.rings(second)]
    now_ms = brand.clock.now_ms()
    [ended] = rings.settle_without(waiting, opened, first.id, now_ms)
    assert (ended.agent_id, ended.state) == (first.id, RingState.CANCELLED)
    late_ms = waiting[0].expires_at_ms
    states = {r.state for r in rings.settle_without(waiting, opened, first.id, late_ms)}
    assert states == {RingState.EXPIRED}
