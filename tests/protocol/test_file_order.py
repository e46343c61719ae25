"""A file keeps its place among what its socket sends. Source: docs/protocol.md 4.2."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.pictures import grey_jpeg
from pictures import png
from protocol.stage import CLOSE, Cast, Socket, Stage, new_cast, staged
from talkwire.gateway import connection
from talkwire.settings import Files, Sanitation, Scanner, Settings

PICTURE = png(64, 48)
LARGE = grey_jpeg(30_000, 6000, 6000)
"""Takes a worker some tenths of a second."""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as opened:
        yield opened


@pytest.fixture
async def cast(stage: Stage) -> AsyncIterator[Cast]:
    made = await new_cast(stage)
    await made.share_files()
    yield made
    await made.leave()


async def upload(cast: Cast, socket: Socket, data: bytes = PICTURE) -> str:
    """Send a picture; its path."""
    claim = {"fileSize": len(data), "fileType": "PNG"}
    slot = (await socket.ask("ms.GenerateURLForUploadFile", claim))["body"]
    url = f"http://{cast.stage.address}{slot['relativePath']}"
    async with cast.stage.http.put(url, params=slot["queryParams"], data=data) as response:
        assert response.status == 201
    path: str = slot["relativePath"]
    return path


def picture(talk: str, path: str, preview: str = "") -> dict[str, object]:
    message = {"relativePath": path, "fileType": "PNG", "preview": preview}
    return {
        "dialogId": talk,
        "event": {"type": "ContentEvent", "contentType": "hosted/file", "message": message},
    }


def text(talk: str) -> dict[str, object]:
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": "x"}
    return {"dialogId": talk, "event": event}


async def answers(socket: Socket, count: int) -> list[tuple[str, int, object]]:
    """Id, code and body of the next answers, in the order in which they come."""
    taken = [await socket.take(lambda frame: frame["kind"] == "resp") for _ in range(count)]
    return [(answer["reqId"], answer["code"], answer["body"]) for answer in taken]


async def publish(socket: Socket, *bodies: dict[str, object]) -> list[tuple[str, int, object]]:
    """Send publishes in one go, with the ids 0, 1, 2 …"""
    for number, body in enumerate(bodies):
        await socket.send({"id": str(number), "type": "ms.PublishEvent", "body": body})
    return await answers(socket, len(bodies))


async def test_a_judged_file_is_numbered_and_answered_in_its_turn(cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    path, fresh = await upload(cast, consumer), await upload(cast, consumer)
    assert (await consumer.ask("ms.PublishEvent", picture(talk, path)))["code"] == 200
    await judged(cast, fresh)
    sent = [
        text(talk),
        picture(talk, fresh),
        text(talk),
        picture(talk, path),
        picture(talk, path),
        text(talk),
    ]
    assert await publish(consumer, *sent) == [(str(n), 200, {"sequence": n + 1}) for n in range(6)]


async def test_what_follows_a_judged_file_cannot_undo_it(cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    path = await upload(cast, consumer)
    await judged(cast, path)
    await consumer.send({"id": "file", "type": "ms.PublishEvent", "body": picture(talk, path)})
    close = {"conversationId": talk, "conversationField": [CLOSE]}
    await consumer.send({"id": "close", "type": "cm.UpdateConversationField", "body": close})
    assert [answer[:2] for answer in await answers(consumer, 2)] == [("file", 200), ("close", 200)]


async def test_a_file_that_has_no_verdict_yet_lets_the_others_pass(tmp_path: Path) -> None:
    unreachable = Settings(files=Files(verdict_seconds=1), scanner=Scanner(clamd=f"unix:{tmp_path}/none"))
    async with staged(tmp_path, unreachable) as stage:
        cast = await new_cast(stage)
        await cast.share_files()
        consumer = await cast.connect("consumer")
        talk = await cast.talk(consumer)
        path = await upload(cast, consumer)
        found = await publish(consumer, picture(talk, path), text(talk))
        assert [(number, code) for number, code, _ in found] == [("1", 200), ("0", 503)]
        assert found[0][2] == {"sequence": 0}
        await cast.leave()


async def test_a_preview_that_has_to_wait_for_others_pictures_lets_the_others_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PREVIEW_SECONDS", 0.02)
    async with staged(tmp_path, Settings(sanitation=Sanitation(rebuild_workers=1))) as stage:
        cast = await new_cast(stage)
        await cast.share_files()
        consumer, other = await cast.connect("consumer"), await cast.connect("consumer2")
        talk = await cast.talk(consumer)
        path = await upload(cast, consumer)
        await judged(cast, path)
        for _ in range(4):
            await upload(cast, other, LARGE)
        with_preview = picture(talk, path, f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}")
        found = await publish(consumer, with_preview, text(talk))
        assert [(number, code) for number, code, _ in found] == [("1", 200), ("0", 200)]
        assert [body for _, _, body in found] == [{"sequence": 0}, {"sequence": 1}]
        await cast.leave()


async def test_refusals_of_files_keep_their_place_too(cast: Cast) -> None:
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    unknown = picture(talk, "/v1/AUTH_async-images/1/x.PNG")
    found = await publish(consumer, text(talk), unknown, text(talk), unknown, text(talk))
    assert [(number, code) for number, code, _ in found] == [
        ("0", 200), ("1", 400), ("2", 200), ("3", 400), ("4", 200),
    ]  # fmt: skip


async def judged(cast: Cast, path: str) -> None:
    """Wait until a file has its verdict."""
    query = "SELECT state FROM files WHERE account_id = $1 AND relative_path = $2"
    async with asyncio.timeout(10):
        while (await cast.stage.node.database.read(query, cast.account, path))[0]["state"] == "received":  # noqa: ASYNC110 -- polled
            await asyncio.sleep(0.01)
