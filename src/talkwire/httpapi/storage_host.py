"""A host name for files alone, when one is set: what people sent is never of the same origin as anything else."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

CONTAINER = "v1/AUTH_async-images/"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def storage_host_middleware(storage_host: str) -> Middleware:
    """That host serves storage and nothing else, every other host everything else. Empty: all serve all."""
    name = name_of(storage_host)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if name and (name_of(request.host) == name) != _is_storage(request):
            raise web.HTTPNotFound
        return await handler(request)

    return middleware


def name_of(host: str) -> str:
    """A host without its port, in lower case: a proxy may leave the port out."""
    name = host.partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")


def _is_storage(request: web.Request) -> bool:
    return request.rel_url.path.lstrip("/").startswith(CONTAINER)
