"""The one place where refusals become HTTP answers. Source: docs/protocol.md 4.2, 7."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from talkwire.handlers.dispatch import Incidents
from talkwire.kernel.errors import TalkwireError, TooMany
from talkwire.protocol import codec
from talkwire.protocol.status import INTERNAL_ERROR, error_body

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def error_middleware(incidents: Incidents) -> Middleware:
    """Refusals get their status, aiohttp's own errors a JSON body, bugs an incident id and nothing else."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except TalkwireError as error:
            return refusal(error)
        except web.HTTPException as error:
            if error.status < 400 or error.content_type == "application/json":  # noqa: PLR2004 -- not an error
                raise
            return _answer(error.status, error.reason, error.text or error.reason, error.status * 100 + 1)
        except Exception as error:  # noqa: BLE001 -- a bug of ours is answered by its id alone
            incident = incidents.record(error, f"{request.method} {_route(request)}")
            return _answer(INTERNAL_ERROR.code, INTERNAL_ERROR.title, f"Incident {incident}", 50000)

    return middleware


def refusal(error: TalkwireError) -> web.Response:
    """The HTTP answer to a refusal, with Retry-After where waiting helps."""
    code, body = error_body(error)
    response = _answer(code, body.title, body.details, body.error_code)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(max(1, error.retry_after_seconds))
    return response


def _answer(status: int, title: str, details: str, error_code: int) -> web.Response:
    body = {
        "kind": "resp",
        "code": status,
        "type": codec.ERROR_TYPE,
        "body": {"title": title, "details": details, "errorCode": error_code},
        "error": {"message": details, "internalCode": error_code},
        "internalCode": error_code,
    }
    return web.Response(status=status, body=codec.encode(body), content_type="application/json")


def _route(request: web.Request) -> str:
    """The route's pattern, never the path: paths may hold tokens."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown route"
