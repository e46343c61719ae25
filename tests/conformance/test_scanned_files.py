"""Files and a real scanner: what it finds is never served, and while it is away nothing is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clamd import EICAR, NAME, ClamdServer, clamd_server
from files_desk import ACCOUNT, CONSUMER, Desk, opened_desk
from talkwire.audit import store
from talkwire.audit.verification import verify
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.scanner.clamd import Clamd, ClamdAddress
from talkwire.files import judging
from talkwire.files.errors import FileNotFound, NotJudgedYet, UnusableFile
from talkwire.files.model import FileLimits
from wrappings import JPEG, wrappings


@pytest.fixture
async def scanned(
    tmp_path: Path, sqlite_database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Desk, ClamdServer]]:
    monkeypatch.setattr(judging, "RETRY_SECONDS", 0.05)
    with clamd_server() as server:
        scanner = Clamd(ClamdAddress.parse(server.unix))
        limits = FileLimits(verdict_seconds=1)
        async with opened_desk(tmp_path, sqlite_database, scanner=scanner, limits=limits) as desk:
            yield desk, server


async def judged(desk: Desk, path: str) -> None:
    """As messaging waits before it publishes."""
    verdicts = desk.rooms.verdicts
    await verdicts.wait((ACCOUNT, path), verdicts.deadline())


@pytest.mark.parametrize(
    "way", ["a JPEG's comment", "a PNG's text", "a GIF's comment", "behind a JPEG's end"]
)
async def test_what_is_found_is_rejected_and_named_in_the_trail(
    scanned: tuple[Desk, ClamdServer], way: str
) -> None:
    desk, _ = scanned
    path = await desk.uploaded(CONSUMER, wrappings(EICAR)[way])
    await judged(desk, path)
    with pytest.raises(UnusableFile):
        await desk.publish(CONSUMER, path)
    with pytest.raises(FileNotFound):
        await desk.fetched(path)
    records = await store.list_records(desk.database, ACCOUNT, 0, 100)
    assert [NAME in record.draft.detail for record in records if record.draft.act == "judged"] == [True]
    assert (await verify(desk.database, ACCOUNT)).is_whole


async def test_a_file_that_the_scanner_will_not_take_is_rejected_and_others_go_on(
    tmp_path: Path, sqlite_database: SqliteDatabase
) -> None:
    with clamd_server(most="100K") as server:
        scanner = Clamd(ClamdAddress.parse(server.unix))
        async with opened_desk(tmp_path, sqlite_database, scanner=scanner) as desk:
            path = await desk.uploaded(CONSUMER, JPEG + bytes(500_000))
            await judged(desk, path)
            with pytest.raises(UnusableFile):
                await desk.publish(CONSUMER, path)
            with pytest.raises(FileNotFound):
                await desk.fetched(path)
            assert desk.rooms.judge.stalled == 0
            records = await store.list_records(desk.database, ACCOUNT, 0, 100)
            told = [record.draft.detail for record in records if record.draft.act == "judged"]
            assert ["could not be scanned: INSTREAM size limit" in detail for detail in told] == [True]
            small = await desk.uploaded(CONSUMER, JPEG)
            await judged(desk, small)
            await desk.publish(CONSUMER, small)


async def test_while_the_scanner_is_away_files_wait_and_are_judged_when_it_is_back(
    scanned: tuple[Desk, ClamdServer],
) -> None:
    desk, server = scanned
    server.kill()
    path = await desk.uploaded(CONSUMER, JPEG)
    with pytest.raises(NotJudgedYet):
        await judged(desk, path)
    with pytest.raises(NotJudgedYet):
        await desk.publish(CONSUMER, path)
    with pytest.raises(NotJudgedYet):
        await desk.fetched(path)
    assert desk.rooms.judge.stalled == 1
    server.start()
    await judged(desk, path)
    publication = await desk.publish(CONSUMER, path)
    assert publication.file.relative_path == path
    async with asyncio.timeout(5):
        while desk.rooms.judge.stalled:  # noqa: ASYNC110 -- a gauge rings no bell
            await asyncio.sleep(0.01)
    assert await desk.fetched(path)
