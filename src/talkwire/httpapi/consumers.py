"""Consumers get their tokens. Source: docs/protocol.md 3.4."""

from aiohttp import web

from talkwire.httpapi.authorization import account_of, address_of
from talkwire.httpapi.bodies import PRIVATE, answer, needed_text_of, read_object, script, text_of
from talkwire.identity.consumers import Consumers


def routes(consumers: Consumers) -> list[web.RouteDef]:
    async def sign_up(request: web.Request) -> web.Response:
        """A new consumer; whatever body is sent says nothing."""
        jwt = await consumers.sign_up(account_of(request), address_of(request))
        return answer({"jwt": jwt}, headers=PRIVATE)

    async def sign_up_by_script(request: web.Request) -> web.Response:
        callback = request.query.get("callback") or request.query.get("cb", "")
        script(callback, None)  # refused before a consumer is made
        jwt = await consumers.sign_up(account_of(request), address_of(request))
        return script(callback, {"jwt": jwt})

    async def authenticate(request: web.Request) -> web.Response:
        auth_code = needed_text_of(await read_object(request), "authCode")
        jwt = await consumers.authenticate(account_of(request), auth_code, address_of(request))
        return answer({"jwt": jwt}, headers=PRIVATE)

    async def authenticate_with_id_token(request: web.Request) -> web.Response:
        """The same by newer clients, which name an identity connector; the brand has one set of keys for all."""
        id_token = needed_text_of(await read_object(request), "id_token")
        token = await consumers.authenticate(account_of(request), id_token, address_of(request))
        return answer({"token": token}, headers=PRIVATE)

    async def authorize_anonymous(request: web.Request) -> web.Response:
        id_token = text_of(await read_object(request), "id_token")
        token = await consumers.anonymous(account_of(request), id_token, address_of(request))
        return answer({"token": token}, headers=PRIVATE)

    base = "/api/account/{account_id}"
    return [
        web.post(f"{base}/signup", sign_up),
        web.get(f"{base}/signup.jsonp", sign_up_by_script),
        web.post(f"{base}/authenticate", authenticate),
        web.post(f"{base}/app/{{connector_id}}/authenticate", authenticate_with_id_token),
        web.post(f"{base}/anonymous/authorize", authorize_anonymous),
    ]
