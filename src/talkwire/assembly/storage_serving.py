"""What the storage process does: files' bytes in and out, with the HTTP of the node and none of its rooms.

It has no database and no key but the one of each file in hand, which the server hands it together with leave to use it.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from talkwire.backends.filestore.localdisk import LocalDisk
from talkwire.files.sealed import SealedStore
from talkwire.files.storage import FileStorage
from talkwire.httpapi import storage
from talkwire.httpapi.application import bare_application
from talkwire.ops.incidents import IncidentLog
from talkwire.ops.listeners import Listening, open_application
from talkwire.ops.logs import configure_logs
from talkwire.ops.tls import Tls
from talkwire.ops.tuning import settle_memory
from talkwire.ops.worker import Worker
from talkwire.storage.asking import Asking, FailedThere
from talkwire.storage.link import Link
from talkwire.storage.tallies import Tallies
from talkwire.storage.wire import Begin, Ready

TELL_SECONDS = 0.25
DRAIN_SHARE = 0.3
"""Of the time that a stop may take: how long uploads under way are waited for. aiohttp itself, once it is told to
end, reads no body any more."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Incidents:
    """Bugs of this process are logged here; those of the server were logged there."""

    def __init__(self, log: IncidentLog) -> None:
        self._log = log

    def record(self, error: BaseException, what: str) -> str:
        return error.incident if isinstance(error, FailedThere) else self._log.record(error, what)


class UnderWay:
    """How many requests are, for whoever waits until none is."""

    def __init__(self) -> None:
        self._count = 0
        self.is_none = asyncio.Event()
        self.is_none.set()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._count += 1
        self.is_none.clear()
        try:
            return await handler(request)
        finally:
            self._count -= 1
            if not self._count:
                self.is_none.set()


async def serve(end: socket.socket) -> None:
    """Ask for what is to be done, do it, and drain."""
    asking, tallies = Asking(), Tallies()
    asking.link = await Link.open(end, asking.heard, lambda: os._exit(0))
    begin = await asking.begin
    configure_logs(begin.log_level, begin.log_format)  # type: ignore[arg-type]  # the setting's own values
    tls = Tls.of_files(begin.certificate, begin.certificate_key) if begin.tls_listeners else None
    store = await LocalDisk.open(Path(begin.files_folder), may_block=True)
    under_way = UnderWay()
    runner = await _open(begin, asking, tallies, store, tls, under_way)
    telling = asyncio.create_task(_tell(asking, tallies))
    async with Worker([tls.job()] if tls else [], _unheard):
        asking.notify(Ready())
        settle_memory()
        await asking.draining.wait()
    for site in tuple(runner.sites):
        await site.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(begin.drain_seconds * DRAIN_SHARE):
            await under_way.is_none.wait()
    await runner.cleanup()
    await store.close()
    telling.cancel()
    _tell_now(asking, tallies)
    asking.link.close()


async def _open(
    begin: Begin, asking: Asking, tallies: Tallies, store: LocalDisk, tls: Tls | None, under_way: UnderWay
) -> web.AppRunner:
    incidents = Incidents(IncidentLog(tallies))
    app = bare_application(incidents, begin.storage_host, begin.http_body_bytes)
    app.middlewares.insert(0, under_way.middleware)
    app.add_routes(storage.routes(FileStorage(SealedStore(store), asking, asking, begin.limits), incidents))
    how = Listening(
        tallies.answered, tallies.uploaded, begin.log_requests, begin.proxy_addresses, begin.drain_seconds
    )
    tls_sockets, http_sockets = (
        [socket.socket(fileno=number) for number in numbers]
        for numbers in (begin.tls_listeners, begin.http_listeners)
    )
    return await open_application(app, how, tls_sockets, http_sockets, tls.context if tls else None)


async def _tell(asking: Asking, tallies: Tallies) -> None:
    while True:
        await asyncio.sleep(TELL_SECONDS)
        _tell_now(asking, tallies)


def _tell_now(asking: Asking, tallies: Tallies) -> None:
    if (counted := tallies.take()) is not None:
        asking.notify(counted)


def _unheard(*_: object) -> None:
    """How often a certificate was looked at is counted in the server."""
