"""Files that go: nothing of them is left but what their events say."""

import base64

import pytest

from files_desk import ACCOUNT, AGENT, CONSUMER, STRANGER, TALK, Desk
from pictures import png
from talkwire.files.errors import FileNotFound, UnusableFile
from talkwire.files.marking import MASK, marked_event
from talkwire.vault.errors import KeyDestroyed

PICTURE = png(6, 6)
PREVIEW = "data:image/png;base64," + base64.b64encode(png(1, 1)).decode()


async def shown(desk: Desk, sequence: int = 0) -> str:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path, preview=PREVIEW, sequence=sequence)
    await desk.told(path, sequence)
    return path


async def test_of_an_erased_file_nothing_is_left_but_where_it_was(desk: Desk) -> None:
    path = await shown(desk)
    (row,) = await desk.database.read("SELECT * FROM files")
    (erased,) = await desk.rooms.erasing.erase(ACCOUNT, [path, path, "unknown"], "erasure")
    assert erased.relative_path == path
    assert erased.key_id == row["key_id"]
    assert erased.size_bytes == len(PICTURE)
    assert erased.conversation_ids == (TALK,)
    assert not any((await desk.rows()).values())
    assert desk.objects() == []
    assert await desk.messages() == [
        {"relativePath": path, "fileType": "PNG", "caption": MASK, "erased": True}
    ]
    with pytest.raises(KeyDestroyed):
        await desk.ground.vault.file_key(ACCOUNT, row["key_id"])
    with pytest.raises(FileNotFound):
        await desk.files.open_download(CONSUMER, path)
    with pytest.raises(UnusableFile):
        await desk.publish(CONSUMER, path, sequence=1)
    assert desk.rooms.previews.find_held(ACCOUNT, path) is None


async def test_erasing_again_after_a_crash_ends_what_was_begun(desk: Desk) -> None:
    path = await shown(desk)

    async def crash(tx: object) -> None:
        await tx.execute("UPDATE files SET state = 'erasing', reason = 'erasure'")  # type: ignore[attr-defined]

    await desk.database.write(crash)
    with pytest.raises(FileNotFound):
        await desk.reopened().open_download(CONSUMER, path)
    assert len(await desk.rooms.erasing.erase(ACCOUNT, [path], "erasure")) == 1
    assert await desk.rooms.erasing.erase(ACCOUNT, [path], "erasure") == []
    assert desk.objects() == []


async def test_files_are_found_by_conversation_and_by_uploader(desk: Desk) -> None:
    path = await shown(desk)
    unshown = await desk.uploaded(CONSUMER, PICTURE)
    await desk.uploaded(STRANGER, PICTURE)
    by_agent = await desk.uploaded(AGENT, PICTURE)
    await desk.publish(AGENT, by_agent, sequence=1)
    erasing = desk.rooms.erasing
    assert sorted(await erasing.list_of_conversations(ACCOUNT, [TALK, "other"])) == sorted([path, by_agent])
    assert sorted(await erasing.list_of_uploader(ACCOUNT, CONSUMER.id)) == sorted([path, unshown])


async def test_only_files_that_are_still_in_the_named_states_go(desk: Desk) -> None:
    path = await shown(desk)
    assert await desk.rooms.erasing.erase(ACCOUNT, [path], "orphaned", only=["clean"]) == []
    assert await desk.fetched(path) == PICTURE


def test_an_event_that_was_masked_already_stays_so() -> None:
    masked = b'{"type":"ContentEvent","contentType":"text/plain","message":"*** LP deleted data ***"}'
    assert marked_event(masked, "expired") == masked
