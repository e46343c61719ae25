"""Our own faults while a file is published. Source: docs/protocol.md 5.6, 9.5."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.stage import Stage, new_cast, staged
from talkwire.messaging.file_publishing import FilePublishing


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as opened:
        yield opened


async def test_a_bug_in_publishing_a_file_is_answered_by_its_id(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(FilePublishing, "submit", broken)
    cast = await new_cast(stage)
    consumer = await cast.connect("consumer")
    talk = await cast.talk(consumer)
    message = {"relativePath": "/v1/AUTH_async-images/x", "fileType": "PNG"}
    event = {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
    before = stage.incidents
    answer = await consumer.ask("ms.PublishEvent", {"dialogId": talk, "event": event})
    assert (answer["code"], answer["body"]["errorCode"]) == (500, 50000)
    assert stage.incidents == before + 1
    await cast.leave()
