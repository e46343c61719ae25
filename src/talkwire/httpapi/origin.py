"""Notes for the audit trail who asks, and from where."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from talkwire.audit.origin import ACTOR, ORIGIN

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def origin_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """For the life of this request, and of the socket it may become: requests of one connection share a task.

    Stands behind the middleware that knows our proxies: `remote` is the client.
    """
    ORIGIN.set(request.remote or "")
    ACTOR.set("")
    return await handler(request)
