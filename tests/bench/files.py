"""Files as a client moves them: ask for a URL on the socket, then PUT or GET over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.talker import Talker
from bench.web import Connection


class TransferFailed(Exception):
    """The store did not take, or not give, the bytes."""


@dataclass(frozen=True)
class Slot:
    relative_path: str
    url: str
    """Path and query, to be used at the server's own address."""


def _slot(answer: Any) -> Slot:
    query = "&".join(f"{name}={value}" for name, value in answer["queryParams"].items())
    return Slot(answer["relativePath"], f"{answer['relativePath']}?{query}")


async def upload_slot(talker: Talker, size: int) -> Slot:
    return _slot(await talker.ask("ms.GenerateURLForUploadFile", {"fileSize": size, "fileType": "JPG"}))


async def download_slot(talker: Talker, relative_path: str) -> Slot:
    return _slot(await talker.ask("ms.GenerateURLForDownloadFile", {"relativePath": relative_path}))


async def put(connection: Connection, url: str, content: bytes) -> None:
    answer = await connection.request("PUT", url, content, {"Content-Type": "image/jpeg"})
    if answer.status != 201:
        raise TransferFailed(f"PUT {url}: {answer.status} {answer.body[:200]!r}")


async def get(connection: Connection, url: str, size: int | None) -> None:
    """Fetch a file; `size` is how many bytes it must have, None when the server may have rebuilt it."""
    answer = await connection.request("GET", url)
    if answer.status != 200 or (size is not None and answer.size_bytes != size):
        raise TransferFailed(f"GET {url}: {answer.status}, {answer.size_bytes} bytes of {size}")
