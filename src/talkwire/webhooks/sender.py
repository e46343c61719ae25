"""Sends one letter: an HTTP POST that waits for a bounded answer and follows nothing."""

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from talkwire.webhooks.addresses import SocketFactory, guarded_sockets
from talkwire.webhooks.names import Names

ANSWER_BYTES = 65_536
"""So much of an answer is read, to see that it ends well; what it says does not matter."""

IDLE_SECONDS = 30.0
OK_FROM, OK_BELOW = 200, 300


class SendPolicy(NamedTuple):
    """What an operator decides."""

    connect_seconds: float
    read_seconds: float
    allowed_hosts: frozenset[str]  # `host` or `host:port`, lower case: any address will do
    ca_file: str
    allow_plain_loopback: bool  # demo: http, and receivers on this machine


class Answer(NamedTuple):
    """How a delivery went. `error` is for the operator; empty: it went well."""

    status: int
    error: str

    @property
    def is_ok(self) -> bool:
        return not self.error


class Sender:
    """Holds the connections to all endpoints. `close` it at the end."""

    def __init__(self, policy: SendPolicy) -> None:
        self._policy = policy
        self._trust = _trust(policy.ca_file)
        self._names = Names()
        self._guarded = self._session(guarded_sockets(allow_loopback=policy.allow_plain_loopback))
        self._open = self._session()

    def _session(self, sockets: SocketFactory | None = None) -> aiohttp.ClientSession:
        policy = self._policy
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=self._trust,
                resolver=self._names,
                socket_factory=sockets,
                keepalive_timeout=IDLE_SECONDS,
            ),
            trust_env=False,
            trace_configs=[_tracing()],
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "talkwire", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(
                total=policy.connect_seconds + policy.read_seconds,  # also for who answers a byte at a time
                sock_connect=policy.connect_seconds,
                sock_read=policy.read_seconds,
            ),
        )

    async def close(self) -> None:
        await self._guarded.close()
        await self._open.close()
        await self._names.close()

    async def post(self, address: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Deliver; whatever goes wrong is an answer."""
        try:
            url = URL(address)
            session = self._session_for(url)
            how = _Connection()
            try:
                status = await _post(session, url, headers, body, how)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not how.is_reused:
                    raise
                status = await _post(session, url, headers, body, _Connection())  # it had idled too long
        except TimeoutError:
            return Answer(0, "no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(0, f"{type(error).__name__}: {error}"[:300])
        return Answer(status, "" if OK_FROM <= status < OK_BELOW else f"answered {status}")

    def _session_for(self, url: URL) -> aiohttp.ClientSession:
        host = (url.host or "").lower()
        is_allowed = bool({host, f"{host}:{url.port}"} & self._policy.allowed_hosts)
        if url.scheme != "https" and not (url.scheme == "http" and self._policy.allow_plain_loopback):
            raise ValueError("a webhook's address begins with https://")
        return self._open if is_allowed else self._guarded


class _Connection:
    """Whether a request went over a connection that was open already."""

    is_reused = False


def _tracing() -> aiohttp.TraceConfig:
    async def reused(_session: object, context: Any, _params: object) -> None:
        context.trace_request_ctx.is_reused = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(reused)
    return tracing


async def _post(
    session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str], body: bytes, how: _Connection
) -> int:
    async with session.post(
        url, headers=headers, data=body, allow_redirects=False, trace_request_ctx=how
    ) as response:
        await _finish(response)
        return response.status


async def _finish(response: aiohttp.ClientResponse) -> None:
    """Read to the end of the answer, or of our patience. Raises ClientError when it breaks off."""
    left = ANSWER_BYTES
    async for chunk in response.content.iter_any():
        left -= len(chunk)
        if left < 0:
            response.close()
            return


def _trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context
