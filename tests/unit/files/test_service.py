"""The life of a file: slot, received, judged, published; and who may fetch it."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from files_desk import (
    ACCOUNT,
    AGENT,
    BOT,
    CONSUMER,
    MANAGER,
    OTHER_AGENT,
    STRANGER,
    TALK,
    Desk,
    ask,
    conversation,
    files_in,
    pieces,
)
from pictures import png
from talkwire.accounts.properties import AGENT_FILE_SHARING, CONSUMER_FILE_SHARING
from talkwire.backends.database.port import Transaction
from talkwire.conversations.model import Role
from talkwire.files.errors import (
    BodyTooLarge,
    FileNotFound,
    FileSharingOff,
    FileTypeNotAllowed,
    PreviewUnusable,
    TempUrlInvalid,
    TooManySlots,
    TooManyUploads,
    UnusableFile,
    UploadTooSlow,
)
from talkwire.files.model import FileLimits, HostedFileMessage, TempUrl
from talkwire.files.temp_urls import ROTATION_DELAY_MS
from talkwire.identity.model import Principal, Privilege
from talkwire.kernel.ids import AccountId, ConversationId

PICTURE = png(4, 4)
OTHER_PICTURE = png(4, 4, seed=1)
PREVIEW = "data:image/png;base64," + base64.b64encode(png(1, 1)).decode()


async def test_a_slot_is_a_signed_path_that_lives_a_minute(desk: Desk) -> None:
    url = await desk.slot(CONSUMER, file_type="png")
    assert url.relative_path.startswith(f"/v1/AUTH_async-images/{ACCOUNT}/{CONSUMER.id}_uuid_")
    assert url.relative_path.endswith(".PNG")
    assert len(url.signature) == 40
    assert url.expires == desk.clock.now_ms() // 1000 + 60


async def test_a_switch_turned_off_closes_uploads_and_publications(desk: Desk) -> None:
    path = await desk.uploaded(AGENT, PICTURE)
    desk.switches.values[AGENT_FILE_SHARING.name] = False
    with pytest.raises(FileSharingOff):
        await desk.slot(AGENT)
    with pytest.raises(FileSharingOff):
        await desk.publish(AGENT, path)
    await desk.slot(CONSUMER)
    desk.switches.values[CONSUMER_FILE_SHARING.name] = False
    with pytest.raises(FileSharingOff):
        await desk.slot(CONSUMER)


async def test_a_sixth_unspent_slot_is_refused_and_a_put_makes_room(desk: Desk) -> None:
    urls = [await desk.slot(CONSUMER) for _ in range(5)]
    with pytest.raises(TooManySlots) as refusal:
        await desk.slot(CONSUMER)
    assert refusal.value.retry_after_seconds == 60
    await desk.put(urls[0], PICTURE)
    await desk.slot(CONSUMER)


async def test_a_put_is_answered_when_its_bytes_and_its_row_are_there(desk: Desk) -> None:
    etag = await desk.put(await desk.slot(CONSUMER), PICTURE)
    assert etag == hashlib.sha256(PICTURE).hexdigest()[:32]
    assert len(desk.objects()) == 1


async def test_what_lies_on_the_disk_is_not_what_was_sent(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path, preview=PREVIEW)
    for file in files_in(desk.folder.parent):
        content = file.read_bytes()
        assert PICTURE not in content
        assert PICTURE[8:40] not in content, file
        assert base64.b64decode(PREVIEW.partition(",")[2])[8:40] not in content, file
    assert await desk.fetched(path) == PICTURE


async def test_the_same_bytes_again_are_answered_as_the_first_time_and_others_are_refused(desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    first = await desk.put(url, PICTURE)
    assert await desk.put(url, PICTURE) == first
    with pytest.raises(TempUrlInvalid):
        await desk.put(url, OTHER_PICTURE)
    assert len(desk.objects()) == 1
    assert await desk.fetched(url.relative_path) == PICTURE


async def test_of_many_puts_at_once_one_wins(desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    outcomes = await asyncio.gather(
        *(desk.put(url, png(4, 4, seed=seed)) for seed in range(4)), return_exceptions=True
    )
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, TempUrlInvalid) for outcome in outcomes) == 3
    await desk.until_objects(1)  # what lost is cleared away a moment later


async def test_more_than_four_puts_at_once_on_one_slot_are_too_many(desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    outcomes = await asyncio.gather(*(desk.put(url, PICTURE) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(outcome, TooManyUploads) for outcome in outcomes) == 2


async def test_a_slot_outlives_a_restart(desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    restarted = desk.reopened()
    await desk.put(url, PICTURE, restarted)
    with pytest.raises(TempUrlInvalid):
        await desk.put(url, OTHER_PICTURE)


async def test_an_upload_that_broke_off_leaves_its_slot_open(desk: Desk) -> None:
    url = await desk.slot(CONSUMER)

    async def broken() -> AsyncIterator[bytes]:
        yield PICTURE[:10]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await desk.files.storage.receive(ask(url), broken())
    await desk.put(url, PICTURE)


@pytest.mark.parametrize(("who", "limit"), [(CONSUMER, 3_145_728), (AGENT, 5_242_880)])
async def test_real_bytes_over_the_roles_limit_are_refused(desk: Desk, who: Principal, limit: int) -> None:
    url = await desk.slot(who, 1000)
    with pytest.raises(BodyTooLarge):
        await desk.put(url, bytes(limit + 1))
    await desk.put(url, bytes(limit))


async def test_a_url_is_refused_when_it_expired_or_was_altered(desk: Desk) -> None:
    url = await desk.slot(CONSUMER)
    check = desk.files.urls.check
    for method, path, signature, expires in (
        ("GET", url.relative_path, url.signature, str(url.expires)),
        ("PUT", url.relative_path.replace(".PNG", ".JPG"), url.signature, str(url.expires)),
        ("PUT", url.relative_path, url.signature, str(url.expires + 1)),
        ("PUT", url.relative_path, "0" * 40, str(url.expires)),
        ("PUT", url.relative_path, "", ""),
        ("PUT", url.relative_path.replace("12345678", "87654321"), url.signature, str(url.expires)),
    ):
        with pytest.raises(TempUrlInvalid):
            await check(method, path, signature, expires)
    desk.clock.advance(seconds=60)
    await check("PUT", url.relative_path, url.signature, str(url.expires))
    desk.clock.advance(seconds=1)
    with pytest.raises(TempUrlInvalid):
        await check("PUT", url.relative_path, url.signature, str(url.expires))


async def test_keys_rotate_without_killing_urls_in_flight(desk: Desk) -> None:
    before = await desk.slot(CONSUMER)
    elsewhere = desk.reopened()
    await elsewhere.urls.sign("GET", ACCOUNT, before.relative_path)
    await desk.files.urls.rotate(ACCOUNT, desk.ground.trail)
    during = await desk.slot(CONSUMER)
    desk.clock.advance(seconds=ROTATION_DELAY_MS / 1000)
    after = await desk.slot(CONSUMER)
    for url in (before, during, after):
        await elsewhere.urls.check("PUT", url.relative_path, url.signature, str(url.expires))
    await desk.files.urls.rotate(ACCOUNT, desk.ground.trail)
    desk.clock.advance(seconds=20)
    with pytest.raises(TempUrlInvalid):
        await desk.files.urls.check("PUT", before.relative_path, before.signature, str(before.expires))


async def fetched(desk: Desk, url: TempUrl) -> bytes:
    opened = await desk.files.storage.open(ask(url, "GET"))
    return b"".join([chunk async for chunk in desk.files.storage.read(opened, 0, opened.file.size_bytes)])


async def may_download(desk: Desk, who: Principal, path: str) -> bool:
    try:
        url = await desk.files.open_download(who, path)
    except FileNotFound:
        return False
    return await fetched(desk, url) == PICTURE


async def test_the_uploader_fetches_its_file_and_nobody_else_before_it_is_published(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    assert await may_download(desk, CONSUMER, path)
    for who in (STRANGER, AGENT, OTHER_AGENT, MANAGER):
        assert not await may_download(desk, who, path)


async def test_publishing_opens_a_file_to_the_participants(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    assert not await may_download(desk, AGENT, path)
    await desk.publish(CONSUMER, path)
    for who in (CONSUMER, AGENT):
        assert await may_download(desk, who, path)
    for who in (STRANGER, OTHER_AGENT, BOT, MANAGER):
        assert not await may_download(desk, who, path)


async def test_a_manager_joins_and_is_shown_the_files(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path)
    desk.talks.add(
        conversation((CONSUMER, Role.CONSUMER), (AGENT, Role.ASSIGNED_AGENT), (MANAGER, Role.READER))
    )
    assert await may_download(desk, MANAGER, path)


async def test_only_who_sent_a_file_or_was_shown_it_publishes_it_on(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path)
    sender = msgspec.structs.replace(MANAGER, privileges=MANAGER.privileges | {Privilege.SEND_FILES})
    for who in (sender, BOT):
        with pytest.raises(UnusableFile):
            await desk.publish(who, path, sequence=1)
    desk.talks.add(conversation((CONSUMER, Role.CONSUMER), (BOT, Role.MANAGER)))
    await desk.publish(BOT, path, sequence=1)


async def test_a_private_file_stays_hidden_from_the_consumer(desk: Desk) -> None:
    path = await desk.uploaded(AGENT, PICTURE)
    await desk.publish(AGENT, path, audience="AGENTS_AND_MANAGERS")
    assert not await may_download(desk, CONSUMER, path)
    await desk.publish(AGENT, path, sequence=1)
    assert await may_download(desk, CONSUMER, path)


async def test_an_agent_who_left_the_conversation_fetches_nothing_more(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path)
    assert await may_download(desk, AGENT, path)
    desk.talks.add(conversation((CONSUMER, Role.CONSUMER), (OTHER_AGENT, Role.ASSIGNED_AGENT)))
    assert not await may_download(desk, AGENT, path)
    assert await may_download(desk, OTHER_AGENT, path)


async def test_another_process_sees_a_publication_at_once(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    elsewhere = desk.reopened_rooms()
    with pytest.raises(FileNotFound):
        await elsewhere.files.open_download(AGENT, path)
    await desk.publish(CONSUMER, path, preview=PREVIEW)
    await elsewhere.files.open_download(AGENT, path)
    assert await elsewhere.previews.list_for(ACCOUNT, [path]) == {path: PREVIEW}


async def test_another_account_never_sees_a_file(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path)
    for who in (CONSUMER, AGENT, MANAGER):
        foreigner = msgspec.structs.replace(who, account_id=AccountId("87654321"))
        with pytest.raises(FileNotFound):
            await desk.files.open_download(foreigner, path)
        with pytest.raises((UnusableFile, FileSharingOff)):
            await desk.publish(msgspec.structs.replace(foreigner, privileges=frozenset(Privilege)), path)


async def test_a_file_shown_in_very_many_conversations_is_still_found(desk: Desk) -> None:
    path = await desk.uploaded(AGENT, PICTURE)
    await desk.publish(AGENT, path)

    async def member(tx: object) -> None:
        await tx.execute(  # type: ignore[attr-defined]
            "INSERT INTO conversation_participants (account_id, conversation_id, participant_id, role, state)"
            " VALUES ($1, $2, $3, 'CONSUMER', 'ACTIVE')",
            ACCOUNT,
            TALK,
            CONSUMER.id,
        )

    await desk.database.write(member)
    for number in range(40):
        desk.clock.advance(seconds=1)
        talk = f"c0ffee00-0000-4000-8000-0000000001{number:02d}"
        desk.talks.add(conversation((AGENT, Role.ASSIGNED_AGENT), conversation_id=talk))
        await desk.publish(AGENT, path, conversation_id=ConversationId(talk))
    assert await may_download(desk, CONSUMER, path)
    assert not await may_download(desk, STRANGER, path)


@pytest.mark.parametrize("data", [b"", b"<html>", PICTURE[:-1]], ids=["empty", "html", "cut off"])
async def test_what_is_no_whole_image_is_taken_but_never_shown_nor_served(desk: Desk, data: bytes) -> None:
    path = await desk.uploaded(CONSUMER, data)
    with pytest.raises(UnusableFile):
        await desk.publish(CONSUMER, path)
    assert not await may_download(desk, CONSUMER, path)


async def test_unknown_unused_and_foreign_paths_are_refused_alike(desk: Desk) -> None:
    foreign = await desk.uploaded(STRANGER, PICTURE)
    unused = (await desk.slot(CONSUMER)).relative_path
    messages = set()
    for path in (foreign, unused, unused.replace("_uuid_1", "_uuid_2"), "/v1/AUTH_async-images/x", ""):
        with pytest.raises(UnusableFile) as refusal:
            await desk.publish(CONSUMER, path)
        messages.add(str(refusal.value))
    assert len(messages) == 1


async def test_what_one_may_download_one_may_pass_on(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path)
    other = ConversationId("c0ffee00-0000-4000-8000-000000000002")
    desk.talks.add(
        conversation((STRANGER, Role.CONSUMER), (AGENT, Role.ASSIGNED_AGENT), conversation_id=other)
    )
    await desk.publish(AGENT, path, conversation_id=other)
    assert await may_download(desk, STRANGER, path)


async def test_an_agents_large_file_is_not_passed_on_by_a_consumer(desk: Desk) -> None:
    large = PICTURE[:-12] + bytes(3_145_728) + PICTURE[-12:]
    path = await desk.uploaded(AGENT, large)
    await desk.publish(AGENT, path)
    with pytest.raises(UnusableFile):
        await desk.publish(CONSUMER, path)


async def test_the_event_keeps_no_preview_and_sending_joins_it_in(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    publication = await desk.publish(CONSUMER, path, preview=PREVIEW)
    assert msgspec.json.decode(msgspec.json.encode(publication.message)) == {
        "relativePath": path,
        "fileType": "PNG",
    }
    assert desk.rooms.previews.find_held(ACCOUNT, path) == PREVIEW
    assert await desk.reopened_rooms().previews.list_for(ACCOUNT, [path, path, "unknown"]) == {path: PREVIEW}


async def test_a_file_without_preview_is_known_to_have_none(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path, preview="")
    assert desk.rooms.previews.find_held(ACCOUNT, path) == ""
    assert await desk.rooms.previews.list_for(ACCOUNT, [path]) == {}
    desk.clock.advance(seconds=10)
    assert desk.rooms.previews.find_held(ACCOUNT, path) is None


async def test_the_first_preview_stays(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path, preview=PREVIEW)
    other = "data:image/png;base64," + base64.b64encode(png(2, 2)).decode()
    await desk.publish(AGENT, path, preview=other, sequence=1)
    assert desk.rooms.previews.find_held(ACCOUNT, path) == PREVIEW
    assert await desk.reopened_rooms().previews.list_for(ACCOUNT, [path]) == {path: PREVIEW}


async def test_a_file_shown_again_after_a_restart_comes_with_its_first_preview(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    await desk.publish(CONSUMER, path, preview=PREVIEW)
    desk.rooms = desk.reopened_rooms()
    await desk.publish(AGENT, path, sequence=1)
    assert desk.rooms.previews.find_held(ACCOUNT, path) == PREVIEW


@pytest.mark.parametrize("preview", ["data:image/png;base64,<Base64Image>", "x" * 50_000])
async def test_an_unusable_preview_is_refused(desk: Desk, preview: str) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    with pytest.raises(PreviewUnusable):
        await desk.publish(CONSUMER, path, preview=preview)


async def test_an_unknown_type_in_an_event_is_refused(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    with pytest.raises(FileTypeNotAllowed):
        await desk.rooms.showing.admit(CONSUMER, TALK, CONSUMER.id, HostedFileMessage(path, "EXE"))


async def test_a_file_that_went_away_meanwhile_takes_its_event_with_it(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    publication = await desk.rooms.showing.admit(CONSUMER, TALK, CONSUMER.id, HostedFileMessage(path, "PNG"))

    async def unit(tx: object) -> None:
        await tx.execute(  # type: ignore[attr-defined]
            "DELETE FROM files WHERE account_id = $1 AND relative_path = $2", ACCOUNT, path
        )
        await desk.rooms.publications.record(
            tx,  # type: ignore[arg-type]
            publication,
            dialog_id=TALK,
            sequence=0,
            audience="ALL",
            at_ms=0,
        )

    with pytest.raises(UnusableFile):
        await desk.database.write(unit)


async def test_an_object_that_vanished_is_not_found(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    url = await desk.files.open_download(CONSUMER, path)
    desk.objects()[0].unlink()
    with pytest.raises(FileNotFound):
        await fetched(desk, url)


async def test_a_path_of_the_older_generation_is_never_put(desk: Desk) -> None:
    path = f"/v1/AUTH_async-images/{ACCOUNT}/11111111-2222-3333-4444-555555555555.JPG"
    url = await desk.files.urls.sign("PUT", ACCOUNT, path)
    with pytest.raises(TempUrlInvalid):
        await desk.put(url, PICTURE)


async def test_a_slow_sender_is_cut_and_a_steady_one_is_not(desk: Desk) -> None:
    limits = FileLimits(upload_bytes_per_second=1000, upload_slow_seconds=0.1)
    files = desk.reopened(limits)
    url = await desk.slot(CONSUMER)

    async def drip(size: int, times: int) -> AsyncIterator[bytes]:
        for _ in range(times):
            await asyncio.sleep(0.01)
            yield bytes(size)

    with pytest.raises(UploadTooSlow):
        await files.storage.receive(ask(url), drip(1, 1000))
    assert await files.storage.receive(ask(url), drip(100, 40))


async def test_an_upload_that_takes_too_long_in_all_is_cut(desk: Desk) -> None:
    files = desk.reopened(FileLimits(upload_seconds=0.1))
    url = await desk.slot(CONSUMER)

    async def steady() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield bytes(100)

    with pytest.raises(UploadTooSlow):
        await files.storage.receive(ask(url), steady())
    await desk.put(url, PICTURE)


async def test_a_burst_earns_no_more_patience_than_any_other_stretch(desk: Desk) -> None:
    files = desk.reopened(FileLimits(upload_bytes_per_second=1000, upload_slow_seconds=0.05))
    url = await desk.slot(CONSUMER)
    never = asyncio.Event()

    async def burst() -> AsyncIterator[bytes]:
        async for piece in pieces(bytes(100_000)):
            yield piece
        await never.wait()

    async with asyncio.timeout(5):
        with pytest.raises(UploadTooSlow):
            await files.storage.receive(ask(url), burst())


async def test_a_file_whose_key_was_destroyed_this_moment_is_refused_like_an_unknown_one(desk: Desk) -> None:
    path = await desk.uploaded(CONSUMER, PICTURE)
    rows = await desk.database.read("SELECT key_id FROM files WHERE relative_path = $1", path)
    await desk.ground.vault.shred_file_keys(ACCOUNT, [rows[0]["key_id"]])
    with pytest.raises(UnusableFile):
        await desk.publish(CONSUMER, path)


async def test_a_preview_that_was_altered_is_left_out_and_the_others_are_told(desk: Desk) -> None:
    altered, sound = [await desk.uploaded(CONSUMER, PICTURE) for _ in range(2)]
    for path in (altered, sound):
        await desk.publish(CONSUMER, path, preview=PREVIEW)

    async def unit(tx: Transaction) -> None:
        sealed = "UPDATE file_previews SET sealed = $2 WHERE relative_path = $1 AND account_id = $3"
        await tx.execute(sealed, altered, bytes(200), ACCOUNT)

    await desk.database.write(unit)
    assert await desk.reopened_rooms().previews.list_for(ACCOUNT, [altered, sound]) == {sound: PREVIEW}
