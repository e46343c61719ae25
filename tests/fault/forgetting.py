"""Somebody who can be forgotten: what it said and showed, and every trace of it that could be left on disk."""

import asyncio
import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumer import Consumer, http_to, signed_up
from live import Live
from pictures import png_file

AT_ONCE = {"TALKWIRE_ERASURE_CANCEL_SECONDS": "0"}
DONE_SECONDS = 30
PIECE = 48
"""So many bytes of a picture stand for it."""


@dataclass
class Somebody:
    """A consumer with a closed conversation, two texts, a caption and some pictures."""

    consumer_id: str
    conversation_id: str
    words: list[str]
    paths: list[str]
    plain: list[bytes] = field(default_factory=list)  # pieces of pictures and previews, as sent and as served

    @property
    def said(self) -> list[bytes]:
        """What of its words to look for: a long text may lie in several pages."""
        return [word[:24].encode() for word in self.words]


def keys_of(live: Live) -> Path:
    return live.data.with_name(live.data.name + "-keys")


def rows(path: Path, sql: str, *args: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as database:
        return database.execute(sql, args).fetchall()


def pieces_of(data: bytes) -> Iterator[bytes]:
    """Pieces from the middle of a picture, where no two pictures are alike."""
    for part in (0.3, 0.5, 0.8):
        start = int(len(data) * part)
        piece = data[start : start + PIECE]
        if len(piece) == PIECE:
            yield piece


@asynccontextmanager
async def somebody(
    live: Live, folder: Path, name: str, pictures: int = 1, *, closed: bool = True
) -> AsyncIterator[tuple[Consumer, Somebody]]:
    """Sign up, talk, share, and end the conversation; the socket stays open."""
    async with signed_up(live) as consumer:
        conversation_id = await consumer.open_conversation()
        words = [f"my name is {name} Lovelace", f"I live in {name} street, " * 200, f"caption of {name}"]
        for text in words[:2]:
            await consumer.say(conversation_id, text)
        files = [png_file(folder, 96, 80, seed=hash((name, n)) & 0xFFFF) for n in range(pictures)]
        paths = [await consumer.share(conversation_id, file, words[2]) for file in files]
        found = Somebody("", conversation_id, words, paths)
        for file, path in zip(files, paths, strict=True):
            _, served = await consumer.fetch(path)
            preview = await preview_heard(consumer, path)
            found.plain += [*pieces_of(file.read_bytes()), *pieces_of(served)]
            found.plain += [*pieces_of(preview.encode()), *pieces_of(base64.b64decode(preview))]
        (row,) = rows(
            live.data / "talkwire.db",
            "SELECT consumer_id FROM conversations WHERE conversation_id = ?",
            conversation_id,
        )
        found.consumer_id = row[0]
        if closed:
            change = {"field": "ConversationStateField", "conversationState": "CLOSE"}
            await consumer.ask(
                "cm.UpdateConversationField",
                {"conversationId": conversation_id, "conversationField": [change]},
            )
        yield consumer, found


async def preview_heard(consumer: Consumer, path: str) -> str:
    """The preview that came with the event of a file, in Base64."""

    def shows(change: dict[str, Any]) -> bool:
        message = change["event"].get("message")
        return isinstance(message, dict) and message.get("relativePath") == path and "preview" in message

    heard = await consumer.hears_event("a preview", shows)
    return str(heard["event"]["message"]["preview"]).partition("base64,")[2]


def key_bytes_of(live: Live, who: Somebody) -> list[bytes]:
    """Every wrap of somebody's keys, as it lies in the key store before they are destroyed."""
    marks = ", ".join("?" * len(who.paths))
    ids = rows(
        live.data / "talkwire.db", f"SELECT key_id FROM files WHERE relative_path IN ({marks})", *who.paths
    )
    keys = keys_of(live) / "keys.db"
    wraps = rows(keys, "SELECT wrapped FROM holder_keys WHERE live = 1 AND consumer_id = ?", who.consumer_id)
    for (key_id,) in ids:
        wraps += rows(keys, "SELECT wrapped FROM file_keys WHERE live = 1 AND key_id = ?", key_id)
    return [bytes(wrap) for (wrap,) in wraps]


def traces(live: Live, wanted: list[bytes]) -> list[tuple[str, bytes]]:
    """Where any of it stands, in any file of the data and the keys folder."""
    found = []
    for folder in (live.data, keys_of(live)):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                found += [(path.name, one) for one in wanted if one in content]
    return found


async def administrator(live: Live) -> dict[str, str]:
    """Headers of somebody who may ask for erasures."""
    async with http_to(live) as http:
        body = {"username": live.env["LP_USER"], "password": live.env["LP_PASS"]}
        async with http.post(live.url("AGENTVEP", "login"), json=body) as answer:
            return {"Authorization": f"Bearer {(await answer.json())['bearer']}"}


async def ask_to_forget(live: Live, **ids: list[str]) -> int:
    """The request's id."""
    async with (
        http_to(live) as http,
        http.post(
            live.url("RTBF", "personal-data-deletion"), json=ids, headers=await administrator(live)
        ) as answer,
    ):
        assert answer.status == 201, await answer.text()
        return int((await answer.json())["request_id"])


async def until_done(live: Live, request_id: int, seconds: float = DONE_SECONDS) -> str:
    """Wait for the receipt; the document."""
    headers = await administrator(live)
    url = live.url("RTBF", f"personal-data-deletion/{request_id}")
    async with http_to(live) as http, asyncio.timeout(seconds):
        while True:
            async with http.get(url + "/receipt", headers=headers) as answer:
                if answer.status == 200:
                    return await answer.text()
            await asyncio.sleep(0.1)


def run_talkwire(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The program's command line."""
    return subprocess.run(
        [sys.executable, "-m", "talkwire", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
    )


def receipt_in(document: str) -> dict[str, Any]:
    receipt: dict[str, Any] = json.loads(document)["receipt"]
    return receipt
