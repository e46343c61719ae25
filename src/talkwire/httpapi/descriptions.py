"""Serves the descriptions of the interfaces: `/openapi.json` and `/asyncapi.json`, made once."""

from functools import cache

import msgspec
from aiohttp import web

from talkwire.httpapi import asyncapi, openapi


def routes(version: str) -> list[web.RouteDef]:
    async def http_description(_request: web.Request) -> web.Response:
        return web.Response(body=_openapi(version), content_type="application/json")

    async def socket_description(_request: web.Request) -> web.Response:
        return web.Response(body=_asyncapi(version), content_type="application/json")

    return [web.get("/openapi.json", http_description), web.get("/asyncapi.json", socket_description)]


@cache
def _openapi(version: str) -> bytes:
    return msgspec.json.encode(openapi.document(version))


@cache
def _asyncapi(version: str) -> bytes:
    return msgspec.json.encode(asyncapi.document(version))
