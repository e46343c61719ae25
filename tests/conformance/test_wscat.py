"""The tutorial's socket lines, typed into the wscat of npm and into ours.

Source: Messaging Window API, "File Sharing", steps 2 to 7.
"""

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, test_utils, web

from conformance.sdk_agent import JS, install_clients
from consumer import http_to
from live import ROOT, Live, serving
from pictures import picture_size
from terminal import Terminal, terminal

NPM = (JS / "node_modules/.bin/wscat",)
OURS = (ROOT / "examples/wscat", "-k", "60")
CAT = ROOT / "examples/pictures/cat.jpg"
PREVIEW = ROOT / "examples/pictures/cat-preview.jpg"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    install_clients()
    with serving(tmp_path_factory.mktemp("demo")) as live:
        yield live


async def sign_up(http: aiohttp.ClientSession, live: Live) -> str:
    async with http.post(live.url("IDP", "signup")) as answer:
        return str((await answer.json())["jwt"])


def dial(live: Live, jwt: str) -> tuple[str, ...]:
    return ("-H", f"Authorization:jwt {jwt}", "-c", live.socket_url("consumer?v=3"))


async def answer(screen: Terminal, request: str) -> dict[str, Any]:
    """Type a request and read the answer to its id off the screen."""
    screen.type(request)
    id_ = str(json.loads(request)["id"])
    shown = await screen.shows(rf'(?m)^(?:> )?(?:< )?(\{{"kind":"resp","reqId":"{id_}",.*\}})$')
    return dict(json.loads(shown[1]))


def storage_url(live: Live, body: dict[str, Any]) -> str:
    query = "&".join(f"{name}={value}" for name, value in body["queryParams"].items())
    return f"https://{live.env['LP_SWIFT']}{body['relativePath']}?{query}"


@pytest.mark.parametrize("wscat", [NPM, OURS], ids=["npm", "ours"])
async def test_the_tutorial_typed_into_a_terminal(live: Live, wscat: tuple[str | Path, ...]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_to(live))
        command = (*wscat, *dial(live, await sign_up(http, live)))
        screen = await stack.enter_async_context(terminal(command, env=live.shell_env))
        await screen.shows("(?i)connected")

        opened = await answer(screen, '{"kind":"req","id":1,"type":"cm.ConsumerRequestConversation"}')
        assert (opened["code"], opened["type"]) == (200, "cm.RequestConversationResponse")

        slot = await answer(
            screen,
            '{"kind":"req","id":"3","body":{"fileSize":1000,"fileType":"PNG"},"type":"ms.GenerateURLForUploadFile"    }',
        )
        assert (slot["code"], slot["type"]) == (200, "ms.BaseGenerateURLResponse")
        async with http.put(storage_url(live, slot["body"]), data=CAT.read_bytes()) as put:
            assert (put.status, await put.read()) == (201, b"")

        preview = "data:image/jpeg;base64," + base64.b64encode(PREVIEW.read_bytes()).decode()
        message = {
            "caption": "a cat",
            "relativePath": slot["body"]["relativePath"],
            "fileType": "PNG",
            "preview": preview,
        }
        event = {"type": "ContentEvent", "message": message, "contentType": "hosted/file"}
        body = {"dialogId": opened["body"]["conversationId"], "event": event}
        publish = {"kind": "req", "id": "22", "body": body, "type": "ms.PublishEvent"}
        published = await answer(screen, json.dumps(publish, separators=(",", ":")))
        assert published["body"] == {"sequence": 0}

        body = {"relativePath": slot["body"]["relativePath"]}
        download = {"kind": "req", "id": "33", "body": body, "type": "ms.GenerateURLForDownloadFile"}
        slot = await answer(screen, json.dumps(download, separators=(",", ":")))
        assert (slot["code"], slot["reqId"], slot["type"]) == (200, "33", "ms.BaseGenerateURLResponse")
        async with http.get(storage_url(live, slot["body"])) as got:
            assert got.content_type == "image/jpeg"
            assert picture_size(await got.read()) == (480, 360)


def run_ours(lines: str, *arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Pipe lines through our wscat."""
    return subprocess.run(
        [*OURS, *arguments], input=lines, env=env, capture_output=True, text=True, timeout=20, check=False
    )


async def test_ours_answers_a_pipe_and_leaves_when_the_input_ends(live: Live) -> None:
    async with http_to(live) as http:
        jwt = await sign_up(http, live)
    lines = '{"kind":"req","id":1,"type":"GetClock"}\n\n{"kind":"req","id":"two","type":"GetClock"}'
    ran = await asyncio.to_thread(run_ours, lines, "-w", "0.5", *dial(live, jwt), env=live.shell_env)
    assert ran.returncode == 0, ran.stderr
    assert [json.loads(line)["reqId"] for line in ran.stdout.splitlines()] == ["1", "two"]


async def test_ours_says_what_the_server_refused(live: Live) -> None:
    ran = await asyncio.to_thread(run_ours, "", *dial(live, "ey.no.jwt"), env=live.shell_env)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "error: the server answered 401\n"


async def test_ours_does_not_believe_a_stranger(live: Live) -> None:
    env = {
        name: value
        for name, value in live.shell_env.items()
        if name not in {"NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"}
    }
    ran = await asyncio.to_thread(run_ours, "", *dial(live, "x"), env=env)
    assert ran.returncode == 1
    assert "certificate" in ran.stderr.lower()


async def test_ours_pings_as_often_as_it_is_told() -> None:
    pinged = asyncio.Event()

    async def server(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        async for frame in socket:
            if frame.type is WSMsgType.PING:
                await socket.pong(frame.data)
                pinged.set()
        return socket

    app = web.Application()
    app.router.add_get("/", server)
    async with test_utils.TestServer(app) as served:
        wscat = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "examples/wscat.py"), "-k", "0.2", "-c", f"ws://{served.host}:{served.port}/",
            stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(10):
            await pinged.wait()
        assert wscat.stdin
        wscat.stdin.close()
        assert await wscat.wait() == 0
