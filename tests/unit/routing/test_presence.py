"""Agent states: durable, told in order, and tied to sockets."""

import pytest

from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.conversations.errors import MayNotChange
from talkwire.routing.model import AgentState, Availability


async def test_an_agent_that_never_set_a_state_is_offline(brand: Brand) -> None:
    agent = brand.agent()
    state = brand.routing.agent_state(ACCOUNT, agent.id, agent.old_id)
    assert (state.availability, state.old_id) == (Availability.OFFLINE, agent.old_id)


async def test_a_state_is_told_to_listeners_with_channels_named_once(brand: Brand) -> None:
    told: list[AgentState] = []
    brand.routing.on_agent_state(told.append)
    agent = brand.agent()
    await brand.routing.set_agent_state(agent, Availability.AWAY, ["MESSAGING", "MESSAGING"], "lunch")
    assert [(s.availability, s.channels, s.description) for s in told] == [
        (Availability.AWAY, ("MESSAGING",), "lunch")
    ]
    assert brand.routing.agent_state(ACCOUNT, agent.id) == told[0]


async def test_a_consumer_has_no_state(brand: Brand) -> None:
    with pytest.raises(MayNotChange):
        await brand.routing.set_agent_state(consumer(), Availability.ONLINE)


async def test_the_last_socket_gone_means_offline_after_the_grace(brand: Brand) -> None:
    agent = await brand.online()
    brand.routing.agent_connected(agent)
    brand.routing.agent_disconnected(agent)
    await brand.pass_time(60)
    assert availability(brand, agent.id) is Availability.ONLINE  # one socket is left
    brand.routing.agent_disconnected(agent)
    await brand.pass_time(29.9)
    assert availability(brand, agent.id) is Availability.ONLINE
    await brand.pass_time(0.1)
    assert availability(brand, agent.id) is Availability.OFFLINE


async def test_coming_back_within_the_grace_keeps_the_state(brand: Brand) -> None:
    agent = await brand.online()
    brand.routing.agent_disconnected(agent)
    await brand.pass_time(20)
    brand.routing.agent_connected(agent)
    await brand.pass_time(60)
    assert availability(brand, agent.id) is Availability.ONLINE


async def test_an_agent_who_went_offline_loses_its_rings(brand: Brand) -> None:
    agent = await brand.online()
    await brand.open()
    await brand.settle()
    assert len(brand.rings(agent)) == 1
    await brand.routing.set_agent_state(agent, Availability.OFFLINE)
    await brand.settle()
    assert brand.rings(agent) == []


async def test_after_a_restart_the_grace_runs_for_everybody(brand: Brand) -> None:
    back, gone = await brand.online(), await brand.online()
    after = brand.restarted()
    await after.routing.start()
    after.routing.agent_connected(back)
    await after.pass_time(30)
    assert availability(after, back.id) is Availability.ONLINE
    assert availability(after, gone.id) is Availability.OFFLINE


def availability(brand: Brand, agent_id: str) -> Availability:
    return {s.agent_id: s.availability for s in brand.routing.agent_states(ACCOUNT)}[agent_id]  # type: ignore[index]


async def test_channels_are_few_and_short(brand: Brand) -> None:
    agent = brand.agent()
    state = await brand.routing.set_agent_state(
        agent, Availability.ONLINE, ["x" * 500_000, *map(str, range(20))]
    )
    assert (len(state.channels), max(map(len, state.channels))) == (10, 64)
