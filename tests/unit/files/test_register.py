"""What is held of files, while other things change."""

import asyncio

from files_desk import ACCOUNT, CONSUMER, Desk
from pictures import png

PICTURE = png(4, 4)


async def test_a_read_counts_although_another_file_changed_meanwhile(desk: Desk) -> None:
    register = desk.rooms.downloads._register
    path, other = [await desk.uploaded(CONSUMER, PICTURE) for _ in range(2)]
    register.forget((ACCOUNT, path))
    reading = asyncio.create_task(register.find(ACCOUNT, path))
    await asyncio.sleep(0)
    register.forget((ACCOUNT, other))
    assert await reading == register.find_held((ACCOUNT, path))
    assert not register._reads


async def test_a_read_does_not_count_when_its_file_changed_meanwhile(desk: Desk) -> None:
    register = desk.rooms.downloads._register
    path = await desk.uploaded(CONSUMER, PICTURE)
    register.forget((ACCOUNT, path))
    reading = asyncio.create_task(register.find(ACCOUNT, path))
    await asyncio.sleep(0)
    register.forget((ACCOUNT, path))
    assert await reading is not None
    assert register.find_held((ACCOUNT, path)) is None
    assert not register._reads
