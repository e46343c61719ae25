"""Previews joined into events, also when another node erased the file."""

import base64

import msgspec

from files_desk import ACCOUNT, CONSUMER, Desk
from pictures import png
from talkwire.messaging.previews import Previews

PICTURE = png(4, 4)
PREVIEW = "data:image/png;base64," + base64.b64encode(png(1, 1)).decode()


async def joined(desk: Desk, previews: Previews) -> list[object]:
    rows = await desk.database.read("SELECT event_id, event FROM events WHERE account_id = $1", ACCOUNT)
    told = await previews.join(ACCOUNT, rows)
    return [msgspec.json.decode(event)["message"].get("preview") for event in told.values()]


async def test_a_preview_that_another_node_erased_is_not_joined_in_any_more(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path, preview=PREVIEW)
    await desk.told(path, 0)
    elsewhere = Previews(desk.reopened_rooms().previews)
    assert await joined(desk, elsewhere) == [PREVIEW]
    await desk.rooms.erasing.erase(ACCOUNT, [path], "erasure")
    assert await joined(desk, elsewhere) == []
