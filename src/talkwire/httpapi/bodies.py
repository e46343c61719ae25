"""JSON in and out over HTTP: objects read tolerantly, answers always typed, JSONP for old windows."""

import asyncio
import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from talkwire.kernel.errors import Invalid
from talkwire.protocol.codec import has_zero

_CALLBACK = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*", re.ASCII)
_MAX_CALLBACK = 128
_MAX_FIELDS = 64
BODY_SECONDS = 30.0
"""How long a small body may take; nobody holds a connection open with half of one."""

PRIVATE = {"Cache-Control": "no-store"}


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer. Some clients parse only what has this content type."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json"
    )


def empty(status: int = 200) -> web.Response:
    """An answer without a body, of the type that clients expect all the same."""
    return web.Response(status=status, content_type="application/json")


def script(callback: str, body: Any) -> web.Response:
    """A JSONP answer: a call of the page's own function. Raises Invalid for what is not a function's name."""
    if len(callback) > _MAX_CALLBACK or not _CALLBACK.fullmatch(callback):
        raise Invalid("The callback is not a function's name")
    text = msgspec.json.encode(body).decode().replace("<", "\\u003c")
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return web.Response(
        text=f"/**/{callback}({text});",
        content_type="application/javascript",
        charset="utf-8",
        headers={"X-Content-Type-Options": "nosniff"},
    )


async def read_bytes(request: web.Request) -> bytes:
    """The body as it came. Raises Invalid."""
    try:
        if request.content.is_eof():  # it came with its headers, as small ones do: nothing to wait for
            return await request.read()
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, ConnectionError):  # broken off, or no chunks: seldom heard by anybody
        raise Invalid("The body is incomplete") from None


async def read_json(request: web.Request) -> Any:
    """The body as JSON, None when there is none. Raises Invalid."""
    raw = await read_bytes(request)
    if not raw.strip():
        return None
    try:
        body = msgspec.json.decode(raw)
        holds_zero = b"\\u0000" in raw and has_zero(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Invalid("The body is not JSON") from None
    if holds_zero:
        raise Invalid("The character zero stands in a text")
    return body


async def read_form(request: web.Request) -> dict[str, str]:
    """The body as a form; the first of each name counts. Raises Invalid."""
    try:
        text = (await read_bytes(request)).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:  # of which UnicodeDecodeError is one
        raise Invalid("The body is not a form") from None
    return dict(reversed(pairs))


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; none at all counts as `{}`. Raises Invalid."""
    body = await read_json(request)
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise Invalid("The body is not a JSON object")
    return body


def text_of(body: dict[str, Any], name: str) -> str | None:
    """A text member, None when it is absent or null. Raises Invalid."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"{name} must be a text")
    return value


def needed_text_of(body: dict[str, Any], name: str) -> str:
    value = text_of(body, name)
    if not value:
        raise Invalid(f"{name} is missing")
    return value


def selected(request: web.Request, shown: dict[str, Any]) -> dict[str, Any]:
    """The members that `select` names; `$all`, or nothing we know, is all of them.

    COMPAT: an old SDK sends a stray quote after `$all`. Source: docs/protocol.md 10.3.
    """
    names = {name.strip(" \"'") for name in request.query.get("select", "$all").split(",")}
    kept = {name: value for name, value in shown.items() if name in names}
    return kept or shown
