"""What nobody holds any more: gone soon, and at the end of the node at once."""

import asyncio

from files_desk import Desk, pieces

KEYS = [f"{number:032x}" for number in range(3)]


async def put(desk: Desk) -> None:
    for key in KEYS:
        await desk.disk.put(key, pieces(b"x"), max_bytes=1)


async def test_objects_dropped_one_after_the_other_are_gone(desk: Desk) -> None:
    await put(desk)
    for key in KEYS[:2]:
        desk.rooms.leftovers.drop_object(key)
    await desk.until_objects(1)
    desk.rooms.leftovers.drop_object(KEYS[2])
    await desk.until_objects(0)


async def test_at_the_end_of_the_node_nothing_waits_to_be_dropped(desk: Desk) -> None:
    await put(desk)
    for key in KEYS:
        desk.rooms.leftovers.drop_object(key)
    await asyncio.sleep(0)
    await desk.ground.tasks.close()
    assert not desk.objects()
