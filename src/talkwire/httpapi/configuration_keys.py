"""Keys over HTTP, a way of our own: the brand's (to vouch for its customers), ours, and application keys."""

from typing import Any

from aiohttp import web

from talkwire.httpapi.authorization import account_of, administrator_principal
from talkwire.httpapi.bodies import PRIVATE, answer, needed_text_of, read_object, text_of
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.brand_keys import BrandKeys
from talkwire.identity.consumer_store import BrandKey
from talkwire.identity.keys import SigningKeys


def routes(brand_keys: BrandKeys, signing_keys: SigningKeys, api_keys: ApiKeys) -> list[web.RouteDef]:
    async def list_brand_keys(request: web.Request) -> web.Response:
        await administrator_principal(request)
        return answer([_shown(key) for key in await brand_keys.list_keys(account_of(request))])

    async def put_brand_key(request: web.Request) -> web.Response:
        """`{"publicKey": "-----BEGIN PUBLIC KEY…", "issuer": "…"}`: believe what this key signs."""
        await administrator_principal(request)
        body = await read_object(request)
        key = await brand_keys.put(
            account_of(request),
            request.match_info["key_id"],
            needed_text_of(body, "publicKey"),
            text_of(body, "issuer") or "",
        )
        return answer(_shown(key))

    async def delete_brand_key(request: web.Request) -> web.Response:
        await administrator_principal(request)
        await brand_keys.delete(account_of(request), request.match_info["key_id"])
        return answer({})

    async def rotate(request: web.Request) -> web.Response:
        """Sign consumers' tokens with a new key from now on."""
        await administrator_principal(request)
        return answer({"kid": await signing_keys.rotate(account_of(request))}, 201)

    async def create_api_key(request: web.Request) -> web.Response:
        """The four values a bot signs in with; they are shown this once."""
        await administrator_principal(request)
        key = await api_keys.create(account_of(request), request.match_info["user_id"])
        body = {
            "appKey": key.app_key,
            "secret": key.secret,
            "accessToken": key.access_token,
            "accessTokenSecret": key.access_token_secret,
        }
        return answer(body, 201, PRIVATE)

    async def delete_api_key(request: web.Request) -> web.Response:
        await administrator_principal(request)
        await api_keys.delete(account_of(request), request.match_info["app_key"])
        return answer({})

    base = "/api/account/{account_id}/configuration"
    return [
        web.get(f"{base}/consumer-keys", list_brand_keys),
        web.put(f"{base}/consumer-keys/{{key_id}}", put_brand_key),
        web.delete(f"{base}/consumer-keys/{{key_id}}", delete_brand_key),
        web.post(f"{base}/signing-keys", rotate),
        web.post(f"{base}/le-users/users/{{user_id}}/api-keys", create_api_key),
        web.delete(f"{base}/api-keys/{{app_key}}", delete_api_key),
    ]


def _shown(key: BrandKey) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "issuer": key.issuer,
        "publicKey": key.public_pem,
        "createdDate": key.created_at_ms,
    }
