"""Requests signed with an application key: OAuth 1.0a, header form, HMAC-SHA1.

Source: docs/protocol.md 3.3; RFC 5849, 3.4 and 3.5.1.
"""

import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence
from urllib.parse import quote, unquote

import msgspec

from talkwire.identity.agents import Agents
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.errors import CredentialsWrong
from talkwire.identity.model import Principal
from talkwire.identity.session_store import ApiKey
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId

SKEW_SECONDS = 300
MAX_NONCES = 100_000


class SignedRequest(msgspec.Struct, frozen=True):
    """What a signature covers, as it arrived."""

    method: str
    host: str
    path: str  # as sent, still encoded
    query: Sequence[tuple[str, str]]  # decoded
    authorization: str


class SignedRequests:
    """Checks signed requests. A request is good once: its nonce is remembered while its time is."""

    def __init__(self, keys: ApiKeys, agents: Agents, clock: Clock) -> None:
        self._keys = keys
        self._agents = agents
        self._clock = clock
        self._nonces: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def principal_of(self, account_id: AccountId, request: SignedRequest) -> Principal:
        """Who signed a request. Raises CredentialsWrong."""
        given = parameters_of(request.authorization)
        key = await self._keys.find(account_id, given.get("oauth_consumer_key", ""))
        agent = await self._agents.find_agent(account_id, key.agent_id) if key else None
        if key is None or agent is None or not agent.enabled or not _is_signed(request, given, key):
            raise CredentialsWrong
        self._use_once(given)
        return await self._agents.principal_of(agent)

    def _use_once(self, given: dict[str, str]) -> None:
        now = self._clock.now_ms() // 1000
        timestamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
        if not timestamp.isdecimal() or len(timestamp) > 12 or abs(int(timestamp) - now) > SKEW_SECONDS:  # noqa: PLR2004
            raise CredentialsWrong
        mark = (given["oauth_consumer_key"], f"{timestamp}:{nonce}")
        while self._nonces and next(iter(self._nonces.values())) < now - 2 * SKEW_SECONDS:
            self._nonces.popitem(last=False)
        if not nonce or mark in self._nonces or len(self._nonces) >= MAX_NONCES:
            raise CredentialsWrong
        self._nonces[mark] = now


def parameters_of(authorization: str) -> dict[str, str]:
    """The parameters of an `OAuth` header; empty when it is none. Other letters come percent-encoded."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() != "oauth" or not rest.isascii():
        return {}
    pairs = (part.strip().partition("=") for part in rest.split(","))
    return {unquote(name.strip()): unquote(value.strip().strip('"')) for name, _, value in pairs}


def signature_of(request: SignedRequest, scheme: str, given: dict[str, str], key: ApiKey) -> str:
    """What the signature of a request should be."""
    hidden = {"oauth_signature", "realm"}
    signed = [*request.query, *((name, value) for name, value in given.items() if name not in hidden)]
    encoded = sorted((_encode(name), _encode(value)) for name, value in signed)
    parameters = "&".join(f"{name}={value}" for name, value in encoded)
    host = request.host.lower().removesuffix(":443" if scheme == "https" else ":80")
    url = f"{scheme}://{host}{request.path}"
    base = "&".join(_encode(part) for part in (request.method.upper(), url, parameters))
    secret = f"{_encode(key.secret)}&{_encode(key.access_token_secret)}"
    return base64.b64encode(hmac.digest(secret.encode(), base.encode(), hashlib.sha1)).decode()


def _is_signed(request: SignedRequest, given: dict[str, str], key: ApiKey) -> bool:
    """With either scheme: behind a proxy we do not see which one the client used."""
    if given.get("oauth_signature_method") != "HMAC-SHA1" or given.get("oauth_token") != key.access_token:
        return False
    claimed = given.get("oauth_signature", "").encode("utf-8", "replace")
    return any(
        hmac.compare_digest(claimed, signature_of(request, scheme, given, key).encode())
        for scheme in ("https", "http")
    )


def _encode(text: str) -> str:
    return quote(text, safe="-._~")
