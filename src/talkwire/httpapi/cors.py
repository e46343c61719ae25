"""Cross-origin answers: browsers of any site may call what carries its own proof (a signature, a token).

No cookies are involved, so any origin may read the answer; `*` and credentials never go together.
"""

from collections.abc import MutableMapping

from aiohttp import web

EXPOSED = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, Etag, Expires, Last-Modified, Retry-After"
_LONGEST_ECHO = 500


def allow_any_origin(headers: MutableMapping[str, str]) -> None:
    """Let a page of any origin read this answer."""
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Access-Control-Expose-Headers"] = EXPOSED


def preflight(request: web.Request, methods: str) -> web.Response:
    """The answer to OPTIONS: these methods, and whatever headers the page wants to send."""
    response = web.Response(headers={"Allow": methods})
    asked = request.headers.get("Access-Control-Request-Headers", "*")[:_LONGEST_ECHO]
    response.headers["Access-Control-Allow-Methods"] = methods
    response.headers["Access-Control-Allow-Headers"] = asked
    response.headers["Access-Control-Max-Age"] = "86400"
    allow_any_origin(response.headers)
    return response
