"""A host name for files alone. Source: docs/protocol.md 9.4."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from talkwire.accounts import domains
from talkwire.httpapi.storage_host import name_of, storage_host_middleware
from talkwire.kernel.ids import AccountId


@pytest.fixture
async def base() -> AsyncIterator[str]:
    async def ok(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application(middlewares=[storage_host_middleware("files.example:8443")])
    app.add_routes([web.get("/{tail:.*}", ok)])
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("files.example:8443", "/v1/AUTH_async-images/1/x.PNG", 200),
        ("FILES.example", "//v1/AUTH_async-images/1/x.PNG", 200),
        ("files.example", "/api/account/1/service/baseURI.json", 404),
        ("files.example", "/healthz", 404),
        ("chat.example", "/v1/AUTH_async-images/1/x.PNG", 404),
        ("chat.example", "/api/account/1/service/baseURI.json", 200),
    ],
)
async def test_that_host_serves_files_alone_and_no_other_does(
    base: str, host: str, path: str, status: int
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(base + path, headers={"Host": host}) as answer,
    ):
        assert answer.status == status


def test_discovery_names_it_for_files_only() -> None:
    uris = domains.base_uris(AccountId("1"), "chat.example", "files.example:8443")
    assert {one["baseURI"] for one in uris if one["service"] == "swift"} == {"files.example:8443"}
    assert {one["baseURI"] for one in uris if one["service"] != "swift"} == {"chat.example"}


def test_a_host_is_compared_by_its_name() -> None:
    assert name_of("Files.Example.:443") == name_of("files.example")
    assert name_of("[::1]:8443") == name_of("[::1]")
