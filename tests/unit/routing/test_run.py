"""The owner's task: offers and expiries without anybody asking."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Never

import pytest

from routing_rooms import ACCOUNT, Brand
from talkwire.backends.database.port import Database
from talkwire.routing import departures_store
from talkwire.routing.departures_store import Departed
from talkwire.routing.model import Availability, RingState


async def soon(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- polls with a deadline
            await asyncio.sleep(0.01)


@pytest.fixture
async def running(brand: Brand) -> AsyncIterator[asyncio.Task[Never]]:
    task = asyncio.create_task(brand.routing.run())
    yield task
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.usefixtures("running")
async def test_rings_come_and_end_and_states_lapse_by_themselves(brand: Brand) -> None:
    agent = await brand.online()
    await brand.open()
    await soon(lambda: len(brand.rings(agent)) == 1)
    brand.routing.agent_disconnected(agent)
    brand.clock.advance(seconds=72)
    await soon(lambda: brand.rung[-1].ring.state is RingState.EXPIRED)
    await soon(lambda: brand.routing.agent_state(ACCOUNT, agent.id).availability is Availability.OFFLINE)


@pytest.mark.usefixtures("running")
async def test_a_pass_that_fails_is_made_again(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = await brand.online()
    dispatcher, tries = brand.routing.dispatcher, 0
    dispatch = dispatcher.dispatch

    async def failing(account_id: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("the disk is gone")
        await dispatch(ACCOUNT)

    monkeypatch.setattr(dispatcher, "dispatch", failing)
    await brand.open()
    await soon(lambda: tries >= 1)
    brand.clock.advance(seconds=1)
    await soon(lambda: len(brand.rings(agent)) == 1)


@pytest.mark.usefixtures("running")
async def test_a_look_for_the_departed_that_fails_is_made_again(
    brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    look = departures_store.departed_to_clear

    async def failing(database: Database) -> list[Departed]:
        nonlocal looked
        looked += 1
        if looked == 1:
            raise RuntimeError("the disk is gone")
        return await look(database)

    monkeypatch.setattr(departures_store, "departed_to_clear", failing)
    brand.routing.look_again(ACCOUNT)
    await soon(lambda: looked == 1)
    brand.routing.look_again(ACCOUNT)
    await soon(lambda: looked == 2)
