"""Who calls as a connector, for whom, and with what beside the request. Source: docs/protocol.md 7.

Clients write the headers in any case, and tokens bare or after `Bearer`.
"""

from dataclasses import dataclass, field
from typing import cast

from aiohttp import web

from talkwire.connectors.errors import AppTokenMissing, ConsumerTokenMissing
from talkwire.connectors.model import App
from talkwire.connectors.rates import Rates
from talkwire.connectors.sentinel import Sentinel
from talkwire.handlers.call import Call, Connection
from talkwire.handlers.publish import check_key
from talkwire.httpapi.authorization import account_of
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import NotFound, Unauthenticated
from talkwire.protocol import client_properties, codec
from talkwire.protocol.envelope import Dialect

VERSION = "3"
ON_BEHALF = "X-LP-ON-BEHALF"
MAX_PROPERTIES = 1_000
_NO_SOCKET = cast("Connection", None)  # no request of a connector subscribes to anything


@dataclass(frozen=True)
class Callers:
    """Checks what comes with every request of a connector."""

    sentinel: Sentinel
    rates: Rates
    clock: Clock
    properties: dict[tuple[str, str], bytes] = field(default_factory=dict)

    async def app(self, request: web.Request) -> App:
        """The app that calls. Raises AppTokenMissing, AppTokenInvalid, ScopeMissing, TooManySends."""
        app = await self.sentinel.app_of(
            account_of(request), _token(request, "Authorization", AppTokenMissing)
        )
        self.rates.take(app.account_id, app.client_id, self.clock.now_ms())
        return app

    async def call(self, request: web.Request) -> Call:
        """The request's surroundings. Raises as `app`, ConsumerTokenMissing, ConsumerTokenInvalid, NotFound."""
        if request.rel_url.raw_query_string != "v=3" and request.query.get("v") != VERSION:
            raise NotFound(f"There is only v={VERSION} of this")
        app = await self.app(request)
        who = await self.sentinel.principal_of(app, _token(request, ON_BEHALF, ConsumerTokenMissing))
        headers = request.headers
        key = headers.get("Idempotency-Key")
        return Call(
            who,
            Dialect.V3,
            _NO_SOCKET,
            self._properties(headers.get("Client-Properties"), request.remote or ""),
            None if key is None else check_key(key),
        )

    def _properties(self, header: str | None, address: str) -> bytes | None:
        """The client's properties as JSON, made once for all requests that bring the same."""
        if not header:
            return None
        held = self.properties.get((header, address))
        if held is None:
            found = client_properties.of_header(header)
            held = codec.encode(client_properties.tidy(found, address)) if found else b""
            if len(self.properties) >= MAX_PROPERTIES:
                self.properties.clear()
            self.properties[header, address] = held
        return held or None


def _token(request: web.Request, header: str, missing: type[Unauthenticated]) -> str:
    value = request.headers.get(header, "").strip()
    token = value[7:].lstrip() if value[:7].lower() == "bearer " else value
    if not token:
        raise missing
    return token
