"""Bytes on their way in, when the commit's answer is lost."""

import asyncio
from dataclasses import replace

import pytest

from files_desk import CONSUMER, Desk
from pictures import png
from talkwire.backends.database.port import Database
from talkwire.kernel.errors import Unavailable

PICTURE = png(4, 4)


class Forgetful:
    """A database that does what it is asked, and then may not say so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.read = database.read
        self.is_lost = False

    async def write(self, unit: object, then: object = None) -> object:
        result: object = await self._database.write(unit, then)  # type: ignore[arg-type]
        if self.is_lost:
            raise Unavailable("the connection broke after the commit")
        return result


async def test_a_file_whose_commit_was_not_heard_of_keeps_its_key(desk: Desk) -> None:
    forgetful = Forgetful(desk.database)
    desk.ground = replace(desk.ground, database=forgetful)  # type: ignore[arg-type]
    desk.rooms = desk.reopened_rooms()
    url = await desk.slot(CONSUMER)
    forgetful.is_lost = True
    with pytest.raises(Unavailable):
        await desk.put(url, PICTURE)
    forgetful.is_lost = False
    await asyncio.sleep(0)
    await desk.rooms.leftovers.clear()
    await desk.put(url, PICTURE)  # the client tries again, and hears that all is well
    await desk.rooms.leftovers.clear()
    assert await desk.fetched(url.relative_path) == PICTURE
