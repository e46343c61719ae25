"""The verdict: waited for, given once, taken up again after a crash, and never guessed."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from files_desk import ACCOUNT, AGENT, CONSUMER, TALK, Desk, files_in, opened_desk, until_files
from pictures import png
from talkwire.accounts.properties import AGENT_LONG_SIDE
from talkwire.audit.store import list_records
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.scanner.port import CLEAN, NoAnswer, ScannerDown, Verdict
from talkwire.files import judging, renditions
from talkwire.files.errors import NotJudgedYet, UnusableFile
from talkwire.files.model import FileLimits, FileState, HostedFile, HostedFileMessage
from talkwire.sanitation.service import Sanitizer
from talkwire.sanitation.sniff import ImageType, sniff_whole
from talkwire.vault.errors import Tampered

PICTURE = png(900, 30)
FOUND = b"EICAR"


class Guard:
    """A scanner of a few words, which can be down."""

    def __init__(self) -> None:
        self.is_down = False
        self.stumbles_over = b""  # for what holds this it has no answer
        self.hangs_on = b""  # for what holds this it takes `patience_seconds`, and is silent then
        self.patience_seconds = 0.3
        self.seen: list[bytes] = []

    async def scan(self, chunks: AsyncIterator[bytes]) -> Verdict:
        if self.is_down:
            raise ScannerDown("down")
        self.seen.append(b"".join([chunk async for chunk in chunks]))
        if self.stumbles_over and self.stumbles_over in self.seen[-1]:
            raise ScannerDown("too long")
        if self.hangs_on and self.hangs_on in self.seen[-1]:
            await asyncio.sleep(self.patience_seconds)
            raise NoAnswer("silent")
        return Verdict(clean=False, name="Eicar") if FOUND in self.seen[-1] else CLEAN

    async def ping(self) -> None:
        """Always there."""


@pytest.fixture
async def sanitizer() -> AsyncIterator[Sanitizer]:
    opened = await Sanitizer.open(1)
    yield opened
    await opened.close()


@pytest.fixture
async def rebuilding(
    tmp_path: Path, sqlite_database: SqliteDatabase, sanitizer: Sanitizer
) -> AsyncIterator[Desk]:
    async with opened_desk(tmp_path, sqlite_database, sanitizer) as opened:
        yield opened


@pytest.fixture
async def guarded(tmp_path: Path, sqlite_database: SqliteDatabase) -> AsyncIterator[Desk]:
    limits = FileLimits(verdict_seconds=0.2)
    async with opened_desk(tmp_path, sqlite_database, scanner=Guard(), limits=limits) as opened:
        yield opened


async def judged(desk: Desk, path: str) -> HostedFile:
    await desk.rooms.verdicts.wait((ACCOUNT, path), asyncio.get_running_loop().time() + 10)
    file = await desk.rooms.downloads._register.find(ACCOUNT, path)
    assert file is not None
    return file


async def test_what_is_served_was_made_by_us_and_the_original_is_gone(rebuilding: Desk) -> None:
    hidden = PICTURE + b"<script>alert(1)</script>" + PICTURE[-12:]
    path = await rebuilding.uploaded(CONSUMER, hidden)
    file = await judged(rebuilding, path)
    if file.state is FileState.CLEAN:
        served = await rebuilding.fetched(path)
        assert b"script" not in served
    path = await rebuilding.uploaded(CONSUMER, PICTURE)
    assert (await judged(rebuilding, path)).state is FileState.CLEAN
    served = await rebuilding.fetched(path)
    assert sniff_whole(served) is ImageType.PNG
    assert await rebuilding.fetched(path, 5, 100) == served[5:105]
    await until_files(
        rebuilding.folder,
        len(await rebuilding.database.read("SELECT 1 AS one FROM files WHERE object_key <> ''")),
    )


async def test_no_plain_byte_of_a_picture_or_a_preview_ever_lies_on_the_disk(rebuilding: Desk) -> None:
    path = await rebuilding.uploaded(CONSUMER, PICTURE)
    await judged(rebuilding, path)
    await rebuilding.publish(CONSUMER, path)
    served = await rebuilding.fetched(path)
    for file in files_in(rebuilding.folder.parent):
        content = file.read_bytes()
        for plain in (PICTURE, served):
            assert plain[40:72] not in content
        assert b"IHDR" not in content
        assert b"JFIF" not in content


async def test_agents_pictures_are_made_smaller_and_consumers_are_not(rebuilding: Desk) -> None:
    sizes = {}
    for who in (CONSUMER, AGENT):
        path = await rebuilding.uploaded(who, PICTURE)
        await judged(rebuilding, path)
        sizes[who.kind] = int.from_bytes((await rebuilding.fetched(path))[16:20])
    assert sizes == {CONSUMER.kind: 900, AGENT.kind: AGENT_LONG_SIDE.default}


async def test_a_preview_is_made_when_there_is_none(rebuilding: Desk) -> None:
    path = await rebuilding.uploaded(CONSUMER, PICTURE)
    await judged(rebuilding, path)
    await rebuilding.publish(CONSUMER, path)
    uri = rebuilding.rooms.previews.find_held(ACCOUNT, path)
    assert uri
    assert len(uri) < 40_000
    assert await rebuilding.reopened_rooms().previews.list_for(ACCOUNT, [path]) == {path: uri}


async def test_a_preview_is_made_in_place_of_one_that_is_of_no_use(rebuilding: Desk) -> None:
    path = await rebuilding.uploaded(CONSUMER, PICTURE)
    await judged(rebuilding, path)
    svg = "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()
    await rebuilding.publish(CONSUMER, path, preview=svg)
    uri = rebuilding.rooms.previews.find_held(ACCOUNT, path)
    assert uri is not None
    assert uri.startswith("data:image/jpeg;base64,")


async def test_what_is_no_picture_is_rejected_with_its_reason(rebuilding: Desk) -> None:
    path = await rebuilding.uploaded(CONSUMER, b"GIF89a" + bytes(100))
    file = await judged(rebuilding, path)
    assert file.state is FileState.REJECTED
    assert file.reason
    with pytest.raises(UnusableFile):
        await rebuilding.publish(CONSUMER, path)
    await until_files(rebuilding.folder, 0)


async def test_what_a_node_left_unjudged_is_taken_up_by_the_next(rebuilding: Desk) -> None:
    taken: list[HostedFile] = []
    rebuilding.rooms.judge.take = taken.append  # type: ignore[method-assign, assignment]
    path = await rebuilding.uploaded(CONSUMER, PICTURE)
    assert [file.relative_path for file in taken] == [path]
    other = rebuilding.reopened_rooms()
    assert await other.judge.look() == 0  # still claimed
    rebuilding.clock.advance(seconds=21)
    assert await other.judge.look() == 1
    assert await other.judge.look() == 0
    rebuilding.rooms = other
    assert (await judged(rebuilding, path)).state is FileState.CLEAN


async def test_while_the_scanner_is_down_files_wait_and_are_not_served(guarded: Desk) -> None:
    guard: Guard = guarded.ground.scanner  # type: ignore[assignment]
    guard.is_down = True
    path = await guarded.uploaded(CONSUMER, PICTURE)
    message = HostedFileMessage(path, "PNG")
    showing, verdicts = guarded.rooms.showing, guarded.rooms.verdicts
    with pytest.raises(NotJudgedYet):
        await showing.admit(CONSUMER, TALK, CONSUMER.id, message)
    with pytest.raises(NotJudgedYet):
        await verdicts.wait((ACCOUNT, path), verdicts.deadline())
    with pytest.raises(NotJudgedYet):
        await guarded.fetched(path)
    assert guarded.rooms.judge.stalled == 1
    guard.is_down = False
    await judged(guarded, path)
    assert guarded.rooms.judge.stalled == 0
    assert guard.seen == [PICTURE]
    await showing.admit(CONSUMER, TALK, CONSUMER.id, message)


async def test_what_the_scanner_finds_is_rejected(guarded: Desk) -> None:
    path = await guarded.uploaded(CONSUMER, PICTURE[:-12] + FOUND + PICTURE[-12:])
    file = await judged(guarded, path)
    assert (file.state, file.reason) == (FileState.REJECTED, "malware: Eicar")


@pytest.mark.parametrize("at", [0, 5, 45, 1000, -1])
async def test_a_flipped_bit_is_never_served(desk: Desk, at: int) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    (stored,) = desk.objects()
    content = bytearray(stored.read_bytes())
    content[at] ^= 1
    stored.write_bytes(content)
    with pytest.raises(Tampered):
        await desk.fetched(path)
    acts = await desk.database.read("SELECT act FROM audit_records ORDER BY number DESC LIMIT 1")
    assert acts[0]["act"] == "refused"


async def test_one_file_in_the_place_of_another_is_never_served(desk: Desk) -> None:
    first = await desk.uploaded(CONSUMER, PICTURE)
    (stored,) = desk.objects()
    second = await desk.uploaded(CONSUMER, PICTURE)
    (other,) = [path for path in desk.objects() if path != stored]
    other.write_bytes(stored.read_bytes())
    assert await desk.fetched(first) == PICTURE
    with pytest.raises(Tampered):
        await desk.fetched(second)


async def test_a_file_that_the_scanner_stumbles_over_holds_up_no_other(guarded: Desk) -> None:
    guard: Guard = guarded.ground.scanner  # type: ignore[assignment]
    guard.stumbles_over = b"too long"
    guarded.ground = replace(guarded.ground, lanes=1)
    guarded.rooms = guarded.reopened_rooms()
    await guarded.uploaded(CONSUMER, PICTURE[:-12] + guard.stumbles_over + PICTURE[-12:])
    path = await guarded.uploaded(CONSUMER, PICTURE)
    assert (await judged(guarded, path)).state is FileState.CLEAN
    assert guarded.rooms.judge.stalled == 1


async def test_what_a_busy_node_could_not_take_is_free_for_others_when_its_claim_ends(guarded: Desk) -> None:
    guard: Guard = guarded.ground.scanner  # type: ignore[assignment]
    guard.is_down = True
    judge, taken = guarded.rooms.judge, list[HostedFile]()
    take, judge.take = judge.take, taken.append  # type: ignore[method-assign, assignment]
    await guarded.uploaded(CONSUMER, PICTURE)
    judge.take = take  # type: ignore[method-assign]
    await guarded.uploaded(CONSUMER, PICTURE)
    for _ in range(2):
        guarded.clock.advance(seconds=15)
        await judge._renew()
    other = guarded.reopened_rooms().judge
    assert await other.look() == 1
    assert other._in_hand == {taken[0].name}


async def test_who_waits_in_vain_leaves_nothing_behind(guarded: Desk) -> None:
    guard: Guard = guarded.ground.scanner  # type: ignore[assignment]
    guard.is_down = True
    path = await guarded.uploaded(CONSUMER, PICTURE)
    with pytest.raises(NotJudgedYet):
        await guarded.fetched(path)
    assert not guarded.rooms.downloads._verdicts._waiting


POISON = b"P0ISON"
POISONOUS = PICTURE[:-12] + POISON + PICTURE[-12:]


async def test_files_that_the_scanner_hangs_on_hold_up_no_other_and_are_rejected_in_the_end(
    guarded: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renditions, "HURRY_SECONDS", 0.02)
    guard: Guard = guarded.ground.scanner  # type: ignore[assignment]
    guard.hangs_on = POISON
    bad = [await guarded.uploaded(CONSUMER, POISONOUS) for _ in range(5)]
    for url in [await guarded.slot(AGENT) for _ in range(7)]:
        await guarded.put(url, POISONOUS)
    began = asyncio.get_running_loop().time()
    assert (await judged(guarded, await guarded.uploaded(CONSUMER, PICTURE))).state is FileState.CLEAN
    assert asyncio.get_running_loop().time() - began < guard.patience_seconds
    monkeypatch.setattr(guard, "patience_seconds", 0.01)
    file = await judged(guarded, bad[-1])
    assert (file.state, file.reason) == (FileState.REJECTED, "could not be scanned: no answer in 3 tries")


async def test_a_file_in_hand_while_the_scanner_hangs_on_everything_is_judged_when_it_is_back(
    guarded: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "RETRY_SECONDS", 0.01)
    guard: Guard = guarded.ground.scanner  # type: ignore[assignment]
    guard.hangs_on, guard.patience_seconds = b"t", 0.01  # the probe's words hold it too
    path = await guarded.uploaded(CONSUMER, PICTURE + b"t")
    async with asyncio.timeout(5):
        while sum(seen == renditions.PROBE for seen in guard.seen) < 10:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert guarded.rooms.judge.stalled == 1
    guard.hangs_on = b""
    await judged(guarded, path)
    assert [seen for seen in guard.seen if seen != renditions.PROBE] == [PICTURE + b"t"] * 3


async def test_files_that_the_scanner_hangs_on_take_no_room_of_others(
    guarded: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renditions, "HURRY_SECONDS", 0.01)
    monkeypatch.setattr(judging, "MOST_IN_HAND", 2)
    guard: Guard = guarded.ground.scanner  # type: ignore[assignment]
    guard.hangs_on, guard.patience_seconds = POISON, 30
    guarded.ground = replace(guarded.ground, lanes=1)
    guarded.rooms = guarded.reopened_rooms()
    judge = guarded.rooms.judge
    async with asyncio.timeout(5):
        for count in (1, 2, 2):
            await guarded.uploaded(CONSUMER, POISONOUS)
            while (len(judge._apart), judge.waiting) != (count, count):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    path = await guarded.uploaded(CONSUMER, PICTURE)
    assert (await judged(guarded, path)).state is FileState.CLEAN


async def test_a_file_that_failed_is_tried_beside_fresh_ones_not_before_them(
    guarded: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renditions, "HURRY_SECONDS", 0.02)
    guard: Guard = guarded.ground.scanner  # type: ignore[assignment]
    guard.hangs_on, guard.patience_seconds = POISON, 30
    guarded.ground = replace(guarded.ground, lanes=1)
    guarded.rooms = guarded.reopened_rooms()
    await guarded.uploaded(CONSUMER, POISONOUS)
    async with asyncio.timeout(5):
        while len(guard.seen) < 2:  # noqa: ASYNC110 -- until it is tried anew, and hangs
            await asyncio.sleep(0.005)
    path = await guarded.uploaded(CONSUMER, PICTURE)
    assert (await judged(guarded, path)).state is FileState.CLEAN
    assert guarded.rooms.judge.stalled == 1


async def verdict_of(desk: Desk) -> tuple[str, bool, bool]:
    """What the newest record of a verdict says: clean or rejected, rebuilt, scanned."""
    drafts = [record.draft for record in await list_records(desk.database, ACCOUNT, 0, 100)]
    detail = json.loads([draft.detail for draft in drafts if draft.act == "judged"][-1])
    return detail["verdict"], detail["rebuilt"], detail["scanned"]


async def test_the_record_of_a_verdict_says_whether_the_file_was_rebuilt(rebuilding: Desk) -> None:
    await judged(rebuilding, await rebuilding.uploaded(CONSUMER, PICTURE))
    assert await verdict_of(rebuilding) == ("clean", True, False)
    await judged(rebuilding, await rebuilding.uploaded(CONSUMER, b"no picture"))
    assert await verdict_of(rebuilding) == ("rejected", False, False)


async def test_the_record_of_a_verdict_says_whether_the_file_was_scanned(guarded: Desk) -> None:
    await judged(guarded, await guarded.uploaded(CONSUMER, PICTURE))
    assert await verdict_of(guarded) == ("clean", False, True)
    await judged(guarded, await guarded.uploaded(CONSUMER, FOUND))
    assert await verdict_of(guarded) == ("rejected", False, True)


async def test_the_record_of_a_verdict_without_a_look_says_so(desk: Desk) -> None:
    await desk.uploaded(CONSUMER, PICTURE)
    assert await verdict_of(desk) == ("clean", False, False)
