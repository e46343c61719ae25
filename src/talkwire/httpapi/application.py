"""An application without routes: what stands before every handler, in whichever process it serves."""

from aiohttp import web

from talkwire.handlers.dispatch import Incidents
from talkwire.httpapi.cors import cors_middleware
from talkwire.httpapi.errors import error_middleware
from talkwire.httpapi.origin import origin_middleware
from talkwire.httpapi.storage_host import storage_host_middleware


def bare_application(incidents: Incidents, storage_host: str, body_bytes: int) -> web.Application:
    """`body_bytes`: the longest body, uploads excepted."""
    return web.Application(
        middlewares=[
            origin_middleware,
            cors_middleware,
            error_middleware(incidents),
            storage_host_middleware(storage_host),
        ],
        client_max_size=body_bytes,
    )
