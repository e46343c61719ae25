"""Fixtures of the protocol tests. A module that needs a stage or a cast of another kind has its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from protocol.connector import Connector, new_connector
from protocol.stage import Cast, Stage, new_cast, staged
from web_rooms import base_host, web_rooms
from webhook_receiver import receiver

__all__ = ["base_host", "receiver", "web_rooms"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One node for a test module, whose tests cause no incident."""
    async with staged(tmp_path_factory.mktemp("stage")) as opened:
        yield opened
        assert opened.incidents == 0


@pytest_asyncio.fixture(loop_scope="module")
async def cast(stage: Stage) -> AsyncIterator[Cast]:
    """A brand for one test, which causes no incident."""
    made = await new_cast(stage)
    before = stage.incidents
    yield made
    await made.leave()
    assert stage.incidents == before


@pytest_asyncio.fixture(loop_scope="module")
async def connector(stage: Stage) -> Connector:
    """A connector of a new brand for one test."""
    return await new_connector(stage)
