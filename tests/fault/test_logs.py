"""With every line switched on, the log of real traffic holds nothing that lets its reader act as somebody."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from live import Live, serving


@pytest.fixture
def talkative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setenv("TALKWIRE_LOG_REQUESTS", "true")
    monkeypatch.setenv("TALKWIRE_LOG_LEVEL", "debug")
    with serving(tmp_path) as live:
        yield live


async def test_requests_sockets_and_uploads_are_logged_without_their_secrets(talkative: Live) -> None:
    live = talkative
    secrets = {value for name, value in live.env.items() if name.endswith(("_PASS", "_SECRET"))}
    connector = aiohttp.TCPConnector(ssl=live.trust())
    async with aiohttp.ClientSession(connector=connector) as http:
        credentials = {"username": live.env["LP_AGENT_USER"], "password": live.env["LP_AGENT_PASS"]}
        async with http.post(live.url("AGENTVEP", "login?v=1.3"), json=credentials) as answer:
            bearer, cookies = (await answer.json())["bearer"], answer.cookies
        async with http.post(live.url("IDP", "signup")) as answer:
            jwt = (await answer.json())["jwt"]
        secrets |= {bearer, jwt, jwt.split(".")[2], *(cookie.value for cookie in cookies.values())}
        async with http.ws_connect(live.socket_url(f"brand/{bearer}?v=2.1")):
            pass
        async with http.ws_connect(live.socket_url(f"consumer/{jwt}?v=3")) as socket:
            slot = await upload_slot(socket)
        signature = slot["queryParams"]["temp_url_sig"]
        query = "&".join(f"{name}={value}" for name, value in slot["queryParams"].items())
        url = f"https://{live.env['LP_SWIFT']}{slot['relativePath']}?{query}"
        for _ in range(2):  # taken, then told that other bytes came
            async with http.put(url, data=b"not a picture") as answer:
                await answer.read()
        secrets.add(signature)
    said = await said_after_greeting(live, requests=6)
    assert slot["relativePath"] in said
    assert not {secret for secret in secrets if secret in said}


async def said_after_greeting(live: Live, requests: int) -> str:
    """The log once so many requests stand in it. (The greeting names passwords, on purpose, on standard output.)"""
    async with asyncio.timeout(10):
        while (said := live.log.split("Ctrl-C stops", 1)[1]).count('"event": "request"') < requests:  # noqa: ASYNC110 -- another process writes
            await asyncio.sleep(0.02)
    return said


async def upload_slot(socket: aiohttp.ClientWebSocketResponse) -> Any:
    claim = {"fileSize": 13, "fileType": "JPG"}
    await socket.send_json({"kind": "req", "id": "1", "type": "ms.GenerateURLForUploadFile", "body": claim})
    return (await socket.receive_json(timeout=10))["body"]
