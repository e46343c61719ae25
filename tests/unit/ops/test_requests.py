import socket

import aiohttp
from aiohttp import web
from structlog.testing import capture_logs

from talkwire.ops.listeners import Listening, open_application


async def remote_of(request: web.Request) -> web.Response:
    return web.Response(text=request.remote)


async def test_behind_a_proxy_handlers_and_the_record_see_the_same_client() -> None:
    app = web.Application()
    app.router.add_get("/", remote_of)
    listener = socket.create_server(("127.0.0.1", 0))
    how = Listening(lambda *_: None, lambda *_: None, True, "127.0.0.1", 1.0)
    runner = await open_application(app, how, [], [listener], None)
    url = "http://{}:{}/".format(*listener.getsockname())
    with capture_logs() as said:
        headers = {"X-Forwarded-For": "203.0.113.7"}
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            assert await answer.text() == "203.0.113.7"
        await runner.cleanup()
    assert [entry["remote"] for entry in said] == ["203.0.113.7"]
