"""Accounts and identity behind a real HTTP server on loopback, with the routes of account configuration."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from identity_rooms import ACCOUNT, Rooms
from talkwire.httpapi import (
    configuration,
    configuration_keys,
    configuration_skills,
    configuration_users,
    consumers,
    discovery,
    sign_in,
)
from talkwire.httpapi.authorization import DOORS, Doors
from talkwire.httpapi.bodies import answer
from talkwire.httpapi.discovery import BaseHost
from talkwire.identity.oauth import SignedRequests
from talkwire.kernel.errors import TalkwireError, TooMany
from talkwire.protocol.status import error_body
from talkwire.routing.skills import Skills

Client = TestClient[web.Request, web.Application]


@dataclass
class Web:
    """A client of the server, and the rooms behind it."""

    client: Client
    rooms: Rooms

    async def call(self, method: str, path: str, bearer: str = "", **options: Any) -> Any:
        """A request below the first brand's path; gives the response, read."""
        headers = {**({"Authorization": f"Bearer {bearer}"} if bearer else {}), **options.pop("headers", {})}
        url = path if path.startswith(("/api", "/csdr")) else f"/api/account/{ACCOUNT}/{path}"
        response = await self.client.request(method, url, headers=headers, **options)
        await response.read()
        return response

    async def bearer_of(self, login_name: str) -> str:
        return (await self.rooms.signed_in(login_name)).bearer


@web.middleware
async def _refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except TalkwireError as error:
        code, body = error_body(error)
        headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, TooMany) else None
        return answer({"body": body}, code, headers)
    return response


def application(rooms: Rooms, base_host: BaseHost) -> web.Application:
    app = web.Application(middlewares=[_refusals])
    app[DOORS] = Doors(
        rooms.sign_in,
        rooms.consumers,
        SignedRequests(rooms.api_keys, rooms.agents, rooms.clock),
    )
    skills = Skills(rooms.database, rooms.clock)
    app.add_routes(
        [
            *discovery.routes(rooms.accounts, base_host),
            *sign_in.routes(rooms.sign_in, base_host, rooms.clock),
            *consumers.routes(rooms.consumers),
            *configuration.routes(rooms.accounts),
            *configuration_users.routes(rooms.agents),
            *configuration_skills.routes(skills),
            *configuration_skills.campaign_routes(rooms.accounts, skills),
            *configuration_keys.routes(rooms.brand_keys, rooms.keys, rooms.api_keys),
        ]
    )
    return app


@pytest.fixture
def base_host() -> BaseHost:
    """What discovery tells; a test may override it."""
    return BaseHost()


@pytest.fixture
async def web_rooms(rooms: Rooms, base_host: BaseHost) -> AsyncIterator[Web]:
    server = TestServer(application(rooms, base_host))
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, as loopback is one
    async with TestClient(server, cookie_jar=jar) as client:
        yield Web(client, rooms)
