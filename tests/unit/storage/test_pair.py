"""The counter, asked over a real socket pair: the same answers as in one process, and nothing left behind."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from files_desk import ACCOUNT, AGENT, CONSUMER, Desk, ask, pieces
from pictures import png
from talkwire.audit.origin import ORIGIN
from talkwire.backends.filestore.localdisk import LocalDisk
from talkwire.files.errors import BodyTooLarge, FileNotFound, TempUrlInvalid, TooManyUploads
from talkwire.files.model import FileLimits, TempUrl
from talkwire.files.sealed import SealedStore
from talkwire.files.storage import FileStorage
from talkwire.ops.incidents import IncidentLog
from talkwire.ops.metrics import Metrics
from talkwire.storage.answering import Answering, Counter
from talkwire.storage.asking import Asking, FailedThere
from talkwire.storage.link import Link
from talkwire.storage.tallies import Tallies
from talkwire.storage.wire import Counted

PICTURE = png(4, 4)
OTHER_PICTURE = png(5, 5)


@dataclass
class Pair:
    """Both ends in one process, with a file store of its own for the far one."""

    desk: Desk
    asking: Asking
    storage: FileStorage
    counted: list[Counted]

    async def put(self, url: TempUrl, data: bytes) -> str:
        return (await self.storage.receive(ask(url), pieces(data))).etag

    async def fetched(self, path: str) -> bytes:
        opened = await self.storage.open(ask(await self.desk.files.urls.sign("GET", ACCOUNT, path), "GET"))
        reading = self.storage.read(opened, 0, opened.file.served_bytes)
        return b"".join([chunk async for chunk in reading])

    def break_off(self) -> None:
        assert self.asking.link is not None
        self.asking.link.close()


@pytest.fixture
async def pair(desk: Desk, tmp_path: Path) -> AsyncIterator[Pair]:
    near, far = socket.socketpair()
    asking, counted = Asking(), list[Counted]()
    counter = Counter(
        desk.rooms.uploads, desk.rooms.downloads, desk.ground.tasks, IncidentLog(Metrics()), counted.append
    )
    answering = Answering(counter, lambda: None)
    answering.link = await Link.open(near, answering.heard, answering.lost)
    asking.link = await Link.open(far, asking.heard, lambda: None)
    store = await LocalDisk.open(desk.folder, may_block=True)
    yield Pair(desk, asking, FileStorage(SealedStore(store), asking, asking, FileLimits()), counted)
    for link in (asking.link, answering.link):
        link.close()
    await store.close()


async def until_under_way(desk: Desk, uploads: int) -> None:
    async with asyncio.timeout(5):
        while len(desk.rooms.uploads._arrivals._uploads) != uploads:  # noqa: ASYNC110 -- nobody rings when an upload begins
            await asyncio.sleep(0.005)


async def test_what_was_put_at_one_end_is_read_at_either(pair: Pair, desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    await pair.put(url, PICTURE)
    assert await pair.fetched(url.relative_path) == await desk.fetched(url.relative_path)


async def test_the_same_bytes_again_are_answered_again_and_others_are_not(pair: Pair, desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    assert await pair.put(url, PICTURE) == await pair.put(url, PICTURE)
    with pytest.raises(TempUrlInvalid):
        await pair.put(url, OTHER_PICTURE)


async def test_refusals_of_the_server_arrive(pair: Pair, desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    with pytest.raises(TempUrlInvalid):
        await pair.storage.receive(ask(url._replace(signature="0" * 40)), pieces(PICTURE))
    with pytest.raises(BodyTooLarge):
        await pair.put(url, bytes(FileLimits().consumer_file_bytes + 1))
    with pytest.raises(FileNotFound):
        await pair.fetched(url.relative_path)
    await desk.until_objects(0)


async def test_a_bug_of_the_server_arrives_as_its_incident(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair.desk.rooms.downloads, "_register", None)
    with pytest.raises(FailedThere) as failed:
        await pair.fetched((await pair.desk.slot(CONSUMER)).relative_path)
    assert len(failed.value.incident) == 10


async def test_who_asks_is_on_record_with_the_address_that_the_far_end_saw(pair: Pair, desk: Desk) -> None:
    url = await desk.slot(AGENT)
    ORIGIN.set("192.0.2.8")
    await pair.put(url, PICTURE)
    rows = await desk.database.read("SELECT act, address FROM audit_records WHERE account_id = $1", ACCOUNT)
    assert {row["act"]: row["address"] for row in rows}["received"] == "192.0.2.8"


async def test_bytes_that_the_far_end_serves_in_parts_name_who_asked_for_the_url(
    pair: Pair, desk: Desk
) -> None:
    path = await desk.uploaded(AGENT, PICTURE)
    opened = await pair.storage.open(ask(await desk.files.open_download(AGENT, path), "GET"))
    async for _ in pair.storage.read(opened, 0, 2):
        pass
    rows = await desk.database.read("SELECT actor FROM audit_records WHERE act = 'served'")
    assert [row["actor"] for row in rows] == [AGENT.id]


async def test_a_far_end_that_dies_gives_its_places_back_and_leaves_no_object(pair: Pair, desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield PICTURE[:10]
        await never.wait()

    uploads = [asyncio.create_task(pair.storage.receive(ask(url), slow())) for _ in range(4)]
    await until_under_way(desk, 4)
    with pytest.raises(TooManyUploads):
        await pair.put(url, PICTURE)
    pair.break_off()
    await until_under_way(desk, 0)
    for upload in uploads:
        upload.cancel()
    await asyncio.gather(*uploads, return_exceptions=True)
    await desk.put(url, PICTURE)
    await desk.until_objects(1)


async def test_frames_may_come_in_any_pieces() -> None:
    near, far = socket.socketpair()
    heard: list[bytes] = []
    lost = asyncio.Event()
    link = await Link.open(near, heard.append, lost.set)
    frames = [b"", b"a", b"bc" * 1000]
    raw = b"".join(len(frame).to_bytes(4, "little") + frame for frame in frames)
    for at in range(len(raw)):
        await asyncio.get_running_loop().run_in_executor(None, far.send, raw[at : at + 1])
    far.close()
    async with asyncio.timeout(5):
        await lost.wait()
    assert heard == frames
    assert not link.is_open


def test_what_was_counted_is_told_once() -> None:
    tallies = Tallies()
    assert tallies.take() is None
    tallies.answered("/v1", "PUT", 201, 0.1)
    tallies.uploaded(201, 5)
    tallies.incident()
    assert tallies.take() == Counted([("/v1", "PUT", 201, 0.1)], [(201, 5)], 1)
    assert tallies.take() is None
