"""Agents sign in, refresh and sign out over HTTP. Source: docs/protocol.md 3.1, 3.2."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from talkwire.accounts.domains import base_uris
from talkwire.httpapi.authorization import account_of, address_of, token_of
from talkwire.httpapi.bodies import PRIVATE, answer, empty, read_object, text_of
from talkwire.httpapi.discovery import BaseHost
from talkwire.identity.credentials import Credentials
from talkwire.identity.errors import CsrfWrong
from talkwire.identity.model import Privilege
from talkwire.identity.sessions import SignedIn
from talkwire.identity.sign_in import SignIn
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Invalid, TalkwireError, TooMany
from talkwire.protocol.status import STATUS

COOKIE = "Session_id"
INTERNAL_CODE = 10

Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes(sign_in: SignIn, base_host: BaseHost, clock: Clock) -> list[web.RouteDef]:
    async def login(request: web.Request) -> web.Response:
        credentials = await _credentials(request)
        signed_in = await sign_in.sign_in(account_of(request), credentials, address_of(request))
        uris = base_uris(signed_in.agent.account_id, base_host.of(request), base_host.of_storage(request))
        response = answer(_login_body(signed_in, uris), headers=PRIVATE)
        # no Domain: node-agent-sdk keeps its jar by the exact host
        response.set_cookie(
            COOKIE, signed_in.cookie, path="/", httponly=True, secure=request.secure, samesite="Lax"
        )
        return response

    async def refresh(request: web.Request) -> web.Response:
        cookie, csrf = await _cookie_and_csrf(request)
        await sign_in.refresh(account_of(request), cookie, csrf)
        return empty()

    async def logout(request: web.Request) -> web.Response:
        cookie, csrf = await _cookie_and_csrf(request)
        if COOKIE not in request.cookies and "Authorization" in request.headers:
            bearer = token_of(request.headers["Authorization"])
            await sign_in.sign_out(account_of(request), "", "", bearer)
        else:
            await sign_in.sign_out(account_of(request), cookie, csrf)
        response = empty()
        response.del_cookie(COOKIE, path="/")
        return response

    base = "/api/account/{account_id}"
    return [
        web.post(f"{base}/login", _answering(login, clock)),
        web.post(f"{base}/refresh", _answering(refresh, clock)),
        web.post(f"{base}/logout", _answering(logout, clock)),
    ]


def _answering(handler: Handler, clock: Clock) -> Handler:
    """Refuse in the form that clients of these three calls read.

    COMPAT: node-agent-sdk looks at no status here, only at a member `error`, and takes its code from
    `internalCode`: 1.x at the top, 1.4 inside.
    """

    async def answered(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except TalkwireError as error:
            return _refusal(error, clock.now_ms())

    return answered


def _refusal(error: TalkwireError, now_ms: int) -> web.Response:
    status = STATUS[error.kind]
    body = {
        "error": {
            "time": now_ms,
            "message": str(error),
            "internalCode": INTERNAL_CODE,
            "responseStatus": status.title.upper().replace(" ", "_"),
        },
        "internalCode": INTERNAL_CODE,
    }
    headers = {**PRIVATE}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after_seconds)
    return answer(body, status.code, headers)


async def _credentials(request: web.Request) -> Credentials:
    try:
        return msgspec.convert(await read_object(request), Credentials)
    except msgspec.ValidationError:
        raise Invalid("user name, password and keys must be texts") from None


async def _cookie_and_csrf(request: web.Request) -> tuple[str, str]:
    try:
        csrf = text_of(await read_object(request), "csrf")
    except Invalid:
        raise CsrfWrong from None
    return request.cookies.get(COOKIE, ""), csrf or ""


def _login_body(signed_in: SignedIn, uris: list[dict[str, str]]) -> dict[str, Any]:
    agent = signed_in.agent
    return {
        "csrf": signed_in.csrf,
        "wsuk": "",
        "config": {
            "loginName": agent.login_name,
            "userId": agent.user_id,
            "userPid": agent.id,
            "userPrivileges": sorted(signed_in.privileges),
            "serverCurrentTime": signed_in.signed_in_at_ms,
            "timeDiff": 0,
            "serverTimeZoneName": "UTC",
            "serverTimeGMTDiff": 0,
            "isLPA": False,
            "isAdmin": Privilege.ADMINISTER in signed_in.privileges,
            "accountTimeZoneId": "UTC",
        },
        "csdsCollectionResponse": {"baseURIs": uris},
        "accountData": {
            "agentGroupsData": {"items": [{"id": -1, "deleted": False, "name": "Main"}], "revision": 0}
        },
        "sessionTTl": str(signed_in.idle_seconds * 1000),
        "bearer": signed_in.bearer,
    }
