"""What the trail says of files: every step, every refusal with its reason, and nobody's id in the clear."""

from collections.abc import Iterator

import pytest

from files_desk import ACCOUNT, AGENT, CONSUMER, MANAGER, STRANGER, Desk, conversation
from pictures import png
from talkwire.audit import store
from talkwire.audit.model import Draft, Opened
from talkwire.audit.origin import ORIGIN
from talkwire.audit.verification import verify
from talkwire.conversations.model import Role
from talkwire.files.askers import SPREAD_SECONDS
from talkwire.files.errors import BodyTooLarge, FileNotFound, FileTooLarge, UnusableFile
from talkwire.identity.model import Principal


@pytest.fixture
def address() -> Iterator[str]:
    """Where everybody asks from."""
    token = ORIGIN.set("192.0.2.7")
    yield "192.0.2.7"
    ORIGIN.reset(token)


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


async def last(desk: Desk, act: str = "served") -> tuple[Draft, Opened | None]:
    """The newest record of an act, and what is in its box."""
    draft = [draft for draft in await records(desk) if draft.act == act][-1]
    return draft, await desk.ground.trail.boxes.open(ACCOUNT, draft.person, draft.box)


async def test_a_consumer_who_fetches_an_agents_file_stands_in_a_box_of_its_own(
    desk: Desk, address: str
) -> None:
    path = await desk.uploaded(AGENT, png(40, 40))
    await desk.publish(AGENT, path)
    await desk.get(await desk.files.open_download(CONSUMER, path))
    draft, opened = await last(desk)
    assert (draft.actor, draft.address) == ("", "")
    assert opened == (CONSUMER.id, CONSUMER.id, address)
    assert address not in repr(draft)


async def test_bytes_served_to_an_agent_name_the_agent(desk: Desk, address: str) -> None:
    path = await desk.uploaded(CONSUMER, png(40, 40))
    await desk.publish(CONSUMER, path)
    await desk.get(await desk.files.open_download(AGENT, path))
    draft, opened = await last(desk)
    assert (draft.actor, draft.address) == (AGENT.id, address)
    assert opened == (CONSUMER.id, "", "")
    assert CONSUMER.id not in repr(draft)


async def test_who_asks_in_the_same_second_gets_a_url_of_its_own(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, png(40, 40))
    await desk.publish(CONSUMER, path)
    everybody = (CONSUMER, Role.CONSUMER), (AGENT, Role.ASSIGNED_AGENT), (MANAGER, Role.MANAGER)
    desk.talks.add(conversation(*everybody))
    people = (MANAGER, CONSUMER, AGENT, CONSUMER)
    urls = [await desk.files.open_download(who, path) for who in people]
    assert urls[1] == urls[3]
    for who, url in zip(people, urls, strict=True):
        await desk.get(url)
        draft, opened = await last(desk)
        assert opened is not None
        assert (draft.actor or opened.actor) == who.id
        assert 60 - SPREAD_SECONDS <= url.expires - desk.clock.now_ms() // 1000 <= 60


@pytest.mark.parametrize("uploader", [AGENT, CONSUMER])
async def test_while_nobody_knows_who_holds_a_url_neither_who_nor_where_is_kept(
    desk: Desk, uploader: Principal, address: str
) -> None:
    path = await desk.uploaded(uploader, png(40, 40))
    await desk.publish(uploader, path)
    url = await desk.files.open_download(CONSUMER, path)
    await desk.get(url, desk.reopened())  # another node, or the same after a restart
    draft, opened = await last(desk)
    assert (draft.actor, draft.address) == ("", "")
    assert '"asker":"not known"' in draft.detail
    assert opened == ((CONSUMER.id, "", "") if uploader is CONSUMER else None)
    assert address not in repr(draft)


async def test_a_file_that_is_gone_is_refused_to_whoever_asked_for_it(desk: Desk, address: str) -> None:
    path = await desk.uploaded(AGENT, png(40, 40))
    await desk.publish(AGENT, path)
    urls = [await desk.files.open_download(who, path) for who in (CONSUMER, AGENT)]
    await desk.rooms.erasing.erase(ACCOUNT, [path], "erasure")
    for url, expected in zip(urls, [("", ""), (AGENT.id, address)], strict=True):
        with pytest.raises(FileNotFound):
            await desk.get(url)
        draft, _ = await last(desk, "refused")
        assert (draft.actor, draft.address) == expected
