"""What the trail says of files: every step, every refusal with its reason, and nobody's id in the clear."""

import pytest

from files_desk import ACCOUNT, AGENT, CONSUMER, STRANGER, Desk
from pictures import png
from talkwire.audit import store
from talkwire.audit.model import Draft
from talkwire.audit.verification import verify
from talkwire.files.errors import BodyTooLarge, FileNotFound, FileTooLarge, UnusableFile


async def records(desk: Desk) -> list[Draft]:
    return [record.draft for record in await store.list_records(desk.database, ACCOUNT, 0, 1000)]


async def test_each_step_of_a_files_life_is_one_record(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, png(40, 40))
    await desk.publish(CONSUMER, path)
    await desk.files.open_download(AGENT, path)
    await desk.fetched(path)
    drafts = await records(desk)
    assert [draft.act for draft in drafts] == [
        "slot issued", "received", "judged", "published", "url issued", "served"
    ]  # fmt: skip
    assert len({draft.subject for draft in drafts}) == 1
    assert CONSUMER.id not in repr(drafts)
    assert [draft.actor for draft in drafts if draft.act == "url issued"] == [AGENT.id]
    assert (await verify(desk.database, ACCOUNT)).is_whole


async def test_refusals_are_recorded_with_their_reason(desk: Desk) -> None:
    for _ in range(20):
        with pytest.raises(FileTooLarge):
            await desk.slot(CONSUMER, 2**30)
    path = await desk.uploaded(CONSUMER, png(40, 40))
    with pytest.raises(FileNotFound):
        await desk.files.open_download(STRANGER, path)
    with pytest.raises(UnusableFile):
        await desk.publish(STRANGER, path)
    url = await desk.slot(CONSUMER)
    with pytest.raises(BodyTooLarge):
        await desk.put(url, bytes(4 * 1024 * 1024))
    refused = [draft for draft in await records(desk) if draft.act == "refused"]
    assert [draft.detail.split('"reason":"')[1].split('"')[0] for draft in refused] == [
        "FileTooLarge", "FileNotFound", "UnusableFile", "BodyTooLarge"
    ]  # fmt: skip
    assert CONSUMER.id not in repr(refused)
    assert STRANGER.id not in repr(refused)


async def test_a_text_in_the_place_of_a_path_is_not_kept(desk: Desk) -> None:
    for said in ("/v1/Zoe lives in Mill Lane 3", f"/v1/AUTH_async-images/{ACCOUNT}/Zoe's.PNG"):
        with pytest.raises(FileNotFound):
            await desk.files.open_download(CONSUMER, said)
        with pytest.raises(UnusableFile):
            await desk.publish(CONSUMER, said)
    assert "Zoe" not in repr(await records(desk))
