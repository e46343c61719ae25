"""Cross-origin answers: browsers of any site may call what carries its own proof (a signature, a token).

No cookies are involved, so any origin may read the answer; `*` and credentials never go together.
"""

from collections.abc import Awaitable, Callable, MutableMapping

from aiohttp import web

EXPOSED = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, Etag, Expires, Last-Modified, Retry-After"
METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_LONGEST_ECHO = 500


def allow_any_origin(headers: MutableMapping[str, str]) -> None:
    """Let a page of any origin read this answer."""
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Access-Control-Expose-Headers"] = EXPOSED


@web.middleware
async def cors_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Browser clients of other origins discover, sign up and sign in; storage sets its own headers."""
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        if request.match_info.http_exception is None:
            return await handler(request)  # storage answers OPTIONS itself
        return preflight(request, METHODS)
    response = await handler(request)
    if not response.prepared:
        allow_any_origin(response.headers)
    return response


def preflight(request: web.Request, methods: str) -> web.Response:
    """The answer to OPTIONS: these methods, and whatever headers the page wants to send."""
    response = web.Response(headers={"Allow": methods})
    asked = request.headers.get("Access-Control-Request-Headers", "*")[:_LONGEST_ECHO]
    response.headers["Access-Control-Allow-Methods"] = methods
    response.headers["Access-Control-Allow-Headers"] = asked
    response.headers["Access-Control-Max-Age"] = "86400"
    allow_any_origin(response.headers)
    return response
