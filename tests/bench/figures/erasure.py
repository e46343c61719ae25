"""Erasing: a consumer with a thousand published pictures asks to be forgotten. And what a judged file costs to publish."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from bench.context import Bench
from bench.files import put, upload_slot
from bench.people import Pair, log_in_administrator, make_pairs
from bench.pictures import grey_jpeg
from bench.report import Result
from bench.server import Talkwire
from bench.web import Connection

FILES = 1_000
PATIENCE_SECONDS = 120
TURN_SECONDS = 0.25
PICTURE = grey_jpeg(20_000, 160, 120)


async def measure(bench: Bench) -> AsyncIterator[Result]:
    async with bench.talkwire("erasure", TALKWIRE_ERASURE_CANCEL_SECONDS="0") as server:
        (pair,) = await make_pairs(server, 1)
        connection = await server.connect()
        path = await _share(pair, connection)
        yield await _ratio(bench, pair, path)
        for _ in range(FILES):
            await _share(pair, connection)
        close = {"field": "ConversationStateField", "conversationState": "CLOSE"}
        body = {"conversationId": pair.dialog_id, "conversationField": [close]}
        await pair.consumer.ask("cm.UpdateConversationField", body)
        bearer = (await log_in_administrator(server, connection)).bearer
        seconds = await _erase(server, connection, bearer, pair.dialog_id)
        yield Result(
            "erasing 1,000 files", seconds, "s", "from the request to its receipt, everything verified"
        )


async def _share(pair: Pair, http: Connection) -> str:
    """Upload and publish one picture; its path."""
    slot = await upload_slot(pair.consumer, len(PICTURE))
    await put(http, slot.url, PICTURE)
    await pair.consumer.ask("ms.PublishEvent", _file_event(pair, slot.relative_path))
    return slot.relative_path


def _file_event(pair: Pair, relative_path: str) -> dict[str, object]:
    message = {"relativePath": relative_path, "fileType": "JPG"}
    return {
        "dialogId": pair.dialog_id,
        "event": {"type": "ContentEvent", "contentType": "hosted/file", "message": message},
    }


async def _ratio(bench: Bench, pair: Pair, path: str) -> Result:
    text = {
        "dialogId": pair.dialog_id,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "x" * 64},
    }
    events = {"text": text, "file": _file_event(pair, path)}
    done, seconds = dict.fromkeys(events, 0), dict.fromkeys(events, 0.0)
    while sum(seconds.values()) < bench.seconds / 2:  # by turns: both see the same machine
        for name, event in events.items():
            begun = time.perf_counter()
            while time.perf_counter() - begun < TURN_SECONDS:
                await pair.consumer.ask("ms.PublishEvent", event)
                done[name] += 1
            seconds[name] += time.perf_counter() - begun
    rates = {name: done[name] / seconds[name] for name in events}
    note = f"{rates['file']:.0f} and {rates['text']:.0f} publishes/s, one in flight"
    return Result("publish of a judged file ÷ text", rates["file"] / rates["text"], "×", note)


async def _erase(server: Talkwire, connection: Connection, bearer: str, conversation_id: str) -> float:
    base = f"/api/account/{server.account}/personal-data-deletion"
    begun = time.perf_counter()
    asked = await connection.call("POST", base, {"conversation": [conversation_id]}, bearer)
    while time.perf_counter() - begun < PATIENCE_SECONDS:
        found = await connection.call("GET", f"{base}/{asked['request_id']}", None, bearer)
        if (found[0] if isinstance(found, list) else found)["status"] == "DONE":
            return time.perf_counter() - begun
        await asyncio.sleep(0.05)
    raise TimeoutError("not erased")
