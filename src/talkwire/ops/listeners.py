"""HTTP applications on sockets that listen already: the same limits and the same record, in every process."""

import logging
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from talkwire.ops.proxies import parse_networks
from talkwire.ops.requests import Answered, Uploaded, proxy_middleware, recorder
from talkwire.ops.tuning import BACKLOG

READ_BUFFER_BYTES = 64 * 1024
"""Twice as much of a body may wait in memory before its sender is held up."""


@dataclass(frozen=True)
class Listening:
    """How an application is served. `drain_seconds` is what the whole process may take to stop."""

    answered: Answered
    uploaded: Uploaded
    log_requests: bool
    proxy_addresses: str
    drain_seconds: float


async def open_application(
    app: web.Application,
    how: Listening,
    tls_sockets: Sequence[socket.socket],
    http_sockets: Sequence[socket.socket],
    context: ssl.SSLContext | None,
) -> web.AppRunner:
    """Serve on these sockets. Whoever opens cleans up."""
    if trusted := parse_networks(how.proxy_addresses):
        app.middlewares.insert(0, proxy_middleware(trusted))
    runner = web.AppRunner(
        app,
        read_bufsize=READ_BUFFER_BYTES,
        access_log_class=recorder(how.answered, how.uploaded, trusted, log_requests=how.log_requests),
        access_log=logging.getLogger("talkwire.requests"),
        handle_signals=False,
        keepalive_timeout=75,
        shutdown_timeout=how.drain_seconds * 0.2,
        auto_decompress=False,  # a small body may not unfold into a large one
    )
    await runner.setup()
    for listener in tls_sockets:
        await web.SockSite(runner, listener, ssl_context=context, backlog=BACKLOG).start()
    for listener in http_sockets:
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
    return runner
