"""Who asks over HTTP: from the `Authorization` header to a principal.

An application that uses these functions holds the two doors: `app[DOORS] = Doors(sign_in, consumers)`.
Source: docs/protocol.md 3.3, 3.7.
"""

import re
from dataclasses import dataclass

from aiohttp import web

from talkwire.audit.origin import ACTOR
from talkwire.identity.consumers import Consumers
from talkwire.identity.errors import AdministratorsOnly
from talkwire.identity.model import Principal, Privilege
from talkwire.identity.oauth import SignedRequest, SignedRequests
from talkwire.identity.sign_in import SignIn
from talkwire.kernel.errors import Unauthenticated
from talkwire.kernel.ids import AccountId

MAX_HEADER = 4096
_SCHEME = re.compile(r"(?:bearer|jwt)(?:\s+|\s*:\s*)", re.IGNORECASE)


@dataclass(frozen=True)
class Doors:
    """Where people come in: agents and consumers."""

    sign_in: SignIn
    consumers: Consumers
    signed_requests: SignedRequests | None = None


DOORS: web.AppKey[Doors] = web.AppKey("doors", Doors)


def account_of(request: web.Request) -> AccountId:
    """The account a path names as `{account_id}`."""
    return AccountId(request.match_info["account_id"])


def token_of(authorization: str | None) -> str:
    """The token in a header value: after `Bearer` or `jwt` in any case, or bare. Raises Unauthenticated."""
    value = (authorization or "").strip()
    token = value[found.end() :] if (found := _SCHEME.match(value)) else value
    token = token.strip()
    if not token or len(token) > MAX_HEADER or not token.isascii():
        raise Unauthenticated("Send an Authorization header with your token")
    return token


async def brand_principal(request: web.Request) -> Principal:
    """The agent whose bearer the request carries, or whose key signed it. Raises Unauthenticated."""
    doors, authorization = request.app[DOORS], request.headers.get("Authorization")
    if doors.signed_requests and authorization and authorization[:6].lower() == "oauth ":
        signed = _signed(request, authorization)
        who = await doors.signed_requests.principal_of(account_of(request), signed)
    else:
        who = await doors.sign_in.principal_of_bearer(account_of(request), token_of(authorization))
    ACTOR.set(who.id)
    return who


async def administrator_principal(request: web.Request) -> Principal:
    """The agent, if it may configure the account. Raises Unauthenticated, AdministratorsOnly."""
    who = await brand_principal(request)
    if not who.may(Privilege.ADMINISTER):
        raise AdministratorsOnly
    return who


async def consumer_principal(request: web.Request) -> Principal:
    """The consumer whose JWT the request carries. Raises Unauthenticated."""
    token = token_of(request.headers.get("Authorization"))
    who = await request.app[DOORS].consumers.principal_of_jwt(account_of(request), token)
    ACTOR.set(who.id)
    return who


def address_of(request: web.Request) -> str:
    """Where a request comes from, for limits: `remote` is the client's also behind a proxy that we trust."""
    return request.remote or ""


def _signed(request: web.Request, authorization: str) -> SignedRequest:
    return SignedRequest(
        method=request.method,
        host=request.headers.get("Host", ""),
        path=request.rel_url.raw_path,
        query=tuple(request.query.items()),
        authorization=authorization,
    )
