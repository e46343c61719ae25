"""Tokens of connectors: AppJWT, ConsumerJWS. Source: docs/protocol.md 3.4 to 3.6."""

from collections.abc import Mapping

from aiohttp import web
from multidict import MultiMapping

from talkwire.connectors.errors import AppCredentialsMissing, GrantNotSupported
from talkwire.connectors.sentinel import Sentinel
from talkwire.connectors.tokens import APP_TOKEN_SECONDS
from talkwire.httpapi.authorization import account_of, address_of
from talkwire.httpapi.bodies import PRIVATE, answer, read_form, read_json, read_object
from talkwire.httpapi.connector_callers import Callers
from talkwire.kernel.errors import Invalid

GRANT = "client_credentials"
FORM = "application/x-www-form-urlencoded"


def routes(sentinel: Sentinel, callers: Callers) -> list[web.RouteDef]:
    async def app_token(request: web.Request) -> web.Response:
        """The parameters come in the form, in the query, or some in each; the form counts first."""
        form = await _parameters(request)
        if _one(form, request.query, "grant_type", GRANT) != GRANT:
            raise GrantNotSupported
        client_id = _one(form, request.query, "client_id")
        secret = _one(form, request.query, "client_secret")
        if not client_id or not secret:
            raise AppCredentialsMissing
        token = await sentinel.app_token(account_of(request), client_id, secret, address_of(request))
        body = {"access_token": token, "token_type": "Bearer", "expires_in": APP_TOKEN_SECONDS}
        return answer(body, headers=PRIVATE)

    async def consumer_token(request: web.Request) -> web.Response:
        """201 with a ConsumerJWS, which never ends."""
        app = await callers.app(request)
        external_id = (await read_object(request)).get("ext_consumer_id")
        return answer({"token": await sentinel.consumer_token(app, external_id)}, 201, PRIVATE)

    base = "/api/account/{account_id}"
    return [
        web.post(f"/sentinel{base}/app/token", app_token),
        web.post(f"{base}/consumer", consumer_token),
    ]


async def _parameters(request: web.Request) -> Mapping[str, str]:
    """What the body says: a form; JSON is taken, too. COMPAT: an empty one under any content type."""
    if request.content_type == "application/json":
        body = await read_json(request)
        if body is not None and not isinstance(body, dict):
            raise Invalid("The body is not a JSON object")
        return {name: value for name, value in (body or {}).items() if isinstance(value, str)}
    return await read_form(request)


def _one(form: Mapping[str, str], query: MultiMapping[str], name: str, default: str = "") -> str:
    return form.get(name) or query.get(name) or default
