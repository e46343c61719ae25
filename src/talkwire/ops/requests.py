"""One line, and one count, for each HTTP request, under the address of the client that sent it."""

import logging
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.typedefs import Handler, Middleware

from talkwire.ops.proxies import Network, client_address

log = structlog.get_logger()

Answered = Callable[[str, str, int, float], None]
"""Told the route's pattern, the method, the status and the seconds."""

Uploaded = Callable[[int, int], None]
"""Told the status that ended an upload, and the bytes that came."""

UPLOADS = "/{tail}"  # how the storage endpoint's pattern ends


def recorder(
    answered: Answered, uploaded: Uploaded, trusted: tuple[Network, ...], *, log_requests: bool
) -> type[AbstractAccessLogger]:
    """A class for `AppRunner(access_log_class=…)`, which makes one per connection. `trusted` are our proxies."""

    class Recorder(AbstractAccessLogger):
        def __init__(self, logger: logging.Logger, log_format: str) -> None:
            pass

        @property
        def enabled(self) -> bool:
            return True

        def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
            route = route_of(request)
            answered(route, request.method, response.status, time)
            if request.method == "PUT" and route.endswith(UPLOADS):
                uploaded(response.status, request.content.total_bytes)
            if log_requests:
                _write_line(request, response, time, trusted)

    return Recorder


def proxy_middleware(trusted: tuple[Network, ...]) -> Middleware:
    """Gives handlers a request whose `remote` is the client's, not our proxy's."""

    @web.middleware
    async def behind_proxy(request: web.Request, handler: Handler) -> web.StreamResponse:
        forwarded = request.headers.getall("X-Forwarded-For", ())
        if not forwarded or request.remote is None:
            return await handler(request)
        return await handler(request.clone(remote=client_address(request.remote, forwarded, trusted)))

    return behind_proxy


def route_of(request: web.BaseRequest) -> str:
    """The pattern that matched, never the path: paths hold ids and tokens."""
    try:
        match: Any = getattr(request, "match_info", None)
    except AssertionError:  # aiohttp could not read the request, and looked for no route
        return "unmatched"
    resource = match.route.resource if match is not None else None
    return resource.canonical if resource is not None else "unmatched"


def _write_line(
    request: web.BaseRequest, response: web.StreamResponse, seconds: float, trusted: tuple[Network, ...]
) -> None:
    """`request` is as it came: handlers have a clone, with the client's address."""
    log.info(
        "request",
        method=request.method,
        path=request.path_qs,
        status=response.status,
        bytes=response.body_length,
        milliseconds=round(seconds * 1000, 1),
        remote=client_address(request.remote or "", request.headers.getall("X-Forwarded-For", ()), trusted),
    )
