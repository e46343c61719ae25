"""What connectors are answered: the code by its name, texts as `msg`, no type. Source: docs/protocol.md 7."""

import http
from typing import Any

from aiohttp import web

from talkwire.protocol import codec

NAMES = {status.value: status.phrase.upper().replace(" ", "_") for status in http.HTTPStatus}
"""200 is OK, 201 CREATED, 202 ACCEPTED (Appendix A19)."""


def element(request_id: str, code: int, body: Any) -> dict[str, Any]:
    """One answer. A text stands as `msg` in an object."""
    return {
        "code": NAMES[code],
        "body": {"msg": body} if isinstance(body, str) else body,
        "reqId": request_id,
    }


def json_response(payload: bytes) -> web.Response:
    return web.Response(body=payload, content_type="application/json")


def published(request_id: str, sequence: int) -> web.Response:
    """The answer to a publish, put together by hand: it is the one that counts."""
    return json_response(
        b'{"code":"OK","body":{"sequence":%d},"reqId":%b}' % (sequence, codec.encode(request_id))
    )
