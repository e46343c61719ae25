"""The storage endpoint: PUT and GET by temp URL, answered as OpenStack Swift answers.

The signature is checked before a byte of a body is read. Bodies are streamed: aiohttp's own body limit
does not apply, the role's does. Every answer can be read by pages of any origin.

Source: docs/protocol.md 9.4; OpenStack Swift, middleware `tempurl`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import quote

from aiohttp import web

from talkwire.files.counter import Ask, Opened
from talkwire.files.errors import (
    BodyTooLarge,
    FileNotFound,
    NotJudgedYet,
    TempUrlInvalid,
    TooManyUploads,
    UploadTooSlow,
)
from talkwire.files.model import HostedFile
from talkwire.files.storage import FileStorage
from talkwire.handlers.dispatch import Incidents
from talkwire.httpapi.cors import allow_any_origin, preflight
from talkwire.httpapi.ranges import Range, RangeUnsatisfiable, parse_range
from talkwire.kernel.errors import StorageFull, TalkwireError, TooMany, Unavailable
from talkwire.vault.errors import Tampered

METHODS = "GET, HEAD, PUT, OPTIONS"
TAKE_SECONDS = 120.0
"""Within which a client takes a chunk, of 512 KiB at most: no slower than it may send."""

OWN_TEXT = ""
"""The refusal's, which names its limit."""

_ANSWERS: tuple[tuple[type[TalkwireError], int, str], ...] = (
    (TempUrlInvalid, 401, "401 Unauthorized: Temp URL invalid\n"),
    (FileNotFound, 404, "404 Not Found\n"),
    (UploadTooSlow, 408, OWN_TEXT),
    (BodyTooLarge, 413, OWN_TEXT),
    (TooManyUploads, 429, OWN_TEXT),
    (StorageFull, 507, "507 Insufficient Storage\n"),
    (Unavailable, 503, "503 Service Unavailable\n"),
)
"""How each refusal is told, the most special first. Plain text: Swift's clients read the status."""

_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
"""With every answer: nothing of it runs in a browser, is guessed at, kept, or told on by its address."""

_CONDITIONS = ("Range", "If-None-Match")
"""With none of these a GET is given all there is."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StorageEndpoint:
    """One handler per method."""

    def __init__(self, storage: FileStorage, incidents: Incidents) -> None:
        self._storage = storage
        self._incidents = incidents
        self._by_method: dict[str, Handler] = {"PUT": self._put, "GET": self._get, "HEAD": self._get}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any method, any outcome; our own faults are left to the outer middleware."""
        if request.method == "OPTIONS":
            response = preflight(request, METHODS)
            response.headers.update(_SAFE)
            return response
        try:
            handler = self._by_method.get(request.method)
            if handler is None:
                raise TempUrlInvalid
            return await handler(request)
        except TalkwireError as refusal:
            return _refused(request, refusal)
        except Tampered as error:
            incident = self._incidents.record(error, "storage: stored bytes")
            return _plain(500, f"500 Internal Server Error: incident {incident}\n", close=True)

    async def _put(self, request: web.Request) -> web.StreamResponse:
        try:
            received = await self._storage.receive(_ask(request), _body(request))
        except (web.RequestPayloadError, ConnectionError):
            # Broken off or malformed: most often there is nobody left to read this.
            return _plain(400, "400 Bad Request: incomplete body\n", close=True)
        response = web.Response(status=201, content_type="text/html", charset="UTF-8", headers=_SAFE)
        response.headers["Etag"] = received.etag
        response.headers["Last-Modified"] = _date(received.received_at_ms // 1000)
        allow_any_origin(response.headers)
        return response

    async def _get(self, request: web.Request) -> web.StreamResponse:
        opened = await self._storage.open(_ask(request))
        file = opened.file
        headers = _headers(request, opened)
        if _is_known(request, file):
            return web.Response(status=304, headers=headers)
        try:
            part = _wanted_part(request, file)
        except RangeUnsatisfiable:
            headers["Content-Range"] = f"bytes */{file.served_bytes}"
            return web.Response(status=416, headers=headers)
        if part is not None:
            headers["Content-Range"] = (
                f"bytes {part.start}-{part.start + part.length - 1}/{file.served_bytes}"
            )
        status = 200 if part is None else 206
        return await self._send(
            request,
            opened,
            part or Range(0, file.served_bytes),
            web.StreamResponse(status=status, headers=headers),
        )

    async def _send(
        self, request: web.Request, opened: Opened, part: Range, response: web.StreamResponse
    ) -> web.StreamResponse:
        """Headers only when the first chunk is in hand: until then a missing object can still be a 404."""
        response.content_length = part.length
        response.headers["Content-Type"] = opened.file.content_type
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        async with aclosing(self._storage.read(opened, part.start, part.length)) as chunks:
            first = await anext(chunks, b"")
            if len(first) == part.length:
                response = web.Response(status=response.status, headers=response.headers, body=first)
                first = b""
            await self._stream(request, response, first, chunks)
        return response

    async def _stream(
        self,
        request: web.Request,
        response: web.StreamResponse,
        first: bytes,
        chunks: AsyncGenerator[bytes, None],
    ) -> None:
        """Once headers are out, a fault can only be told by breaking off before the promised length."""
        try:
            await response.prepare(request)
            if first:
                await _taken(response.write(first))
                async for chunk in chunks:
                    await _taken(response.write(chunk))
            await _taken(response.write_eof())
        except (ConnectionError, TimeoutError, TalkwireError, Tampered) as error:
            if isinstance(error, Tampered):
                self._incidents.record(error, "storage: stored bytes")
            if request.transport is not None:
                request.transport.abort()


def routes(storage: FileStorage, incidents: Incidents) -> list[web.RouteDef]:
    """Everything under the container, with any number of leading slashes."""
    return [
        web.route(
            "*",
            "/{slashes:/*}v1/AUTH_async-images/{tail:.*}",
            StorageEndpoint(storage, incidents).answer,
            expect_handler=_leave_expect,
        )
    ]


async def _taken(writing: Awaitable[None]) -> None:
    """Raises TimeoutError when the client does not take it: what waits for it is in our memory."""
    async with asyncio.timeout(TAKE_SECONDS):
        await writing


async def _leave_expect(request: web.Request) -> None:
    """Say nothing yet: a body is invited only after its URL was checked."""


def _ask(request: web.Request) -> Ask:
    query = request.query
    return Ask(
        request.method,
        "/" + request.rel_url.path.lstrip("/"),  # COMPAT: `//v1/…`. Source: docs/protocol.md 9.4
        query.get("temp_url_sig", ""),
        query.get("temp_url_expires", ""),
        request.content_length or 0,
        request.method == "GET" and not any(name in request.headers for name in _CONDITIONS),
    )


async def _body(request: web.Request) -> AsyncGenerator[bytes, None]:
    """Invited only when the first of it is asked for: until then its URL may still be refused."""
    await _invite_body(request)
    async for chunk in request.content.iter_any():
        yield chunk


async def _invite_body(request: web.Request) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _headers(request: web.Request, opened: Opened) -> dict[str, str]:
    file = opened.file
    headers = {
        **_SAFE,
        "Accept-Ranges": "bytes",
        "Etag": file.etag,
        "Last-Modified": _date(file.received_at_ms // 1000),
        "Content-Disposition": _disposition(request, file),
        "Expires": _date(opened.expires),
    }
    allow_any_origin(headers)
    return headers


@lru_cache(maxsize=256)
def _date(seconds: int) -> str:
    """Unix seconds as HTTP writes them; many answers share one."""
    return formatdate(seconds, usegmt=True)


def _disposition(request: web.Request, file: HostedFile) -> str:
    """Source: RFC 6266; parameters `filename` and `inline` as in Swift."""
    filename = request.query.get("filename", "")
    if "inline" in request.query:
        kind = "inline"
        if not filename:
            return kind
    else:
        kind = "attachment"
    name = filename or file.relative_path.rpartition("/")[2]
    plain = quote(name, safe=" /", errors="replace")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, errors='replace')}"


def _is_known(request: web.Request, file: HostedFile) -> bool:
    """Whether the client holds these bytes already (If-None-Match)."""
    held = request.headers.get("If-None-Match", "")
    return held == "*" or file.etag in (tag.strip().removeprefix("W/").strip('"') for tag in held.split(","))


def _wanted_part(request: web.Request, file: HostedFile) -> Range | None:
    """The range asked for, unless it was asked of other bytes than these (If-Range)."""
    asked_of = request.headers.get("If-Range", "").strip('"')
    if asked_of and asked_of not in {file.etag, _date(file.received_at_ms // 1000)}:
        return None
    return parse_range(request.headers.get("Range", ""), file.served_bytes)


def _refused(request: web.Request, refusal: TalkwireError) -> web.Response:
    found = next(((status, text) for kind, status, text in _ANSWERS if isinstance(refusal, kind)), None)
    if found is None:
        raise refusal
    status, text = found
    text = text or f"{refusal}\n"
    response = _plain(status, "" if request.method == "HEAD" else text, close=request.body_exists)
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(max(1, refusal.retry_after_seconds))
    elif isinstance(refusal, NotJudgedYet | UploadTooSlow):  # not 413: the same body is never taken
        response.headers["Retry-After"] = "1"
    return response


def _plain(status: int, text: str, *, close: bool) -> web.Response:
    """With `close`, the connection ends: what is left of the body is read over and thrown away."""
    response = web.Response(status=status, text=text, headers=_SAFE)
    allow_any_origin(response.headers)
    if close:
        response.force_close()
    return response
