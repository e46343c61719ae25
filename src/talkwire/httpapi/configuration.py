"""Account configuration over HTTP: site properties and feature grants. Source: docs/protocol.md 10.1, 10.2."""

from collections.abc import Iterator
from typing import Any

from aiohttp import web

from talkwire.accounts.model import ANY_REVISION, PropertyChange, StoredProperty
from talkwire.accounts.service import Accounts
from talkwire.httpapi.authorization import account_of, administrator_principal, brand_principal
from talkwire.httpapi.bodies import answer, read_object
from talkwire.kernel.errors import Invalid

REVISION = "ac-revision"
_MAX_DEPTH = 16


def routes(accounts: Accounts) -> list[web.RouteDef]:
    async def list_properties(request: web.Request) -> web.Response:
        await brand_principal(request)
        properties, revision = await accounts.list_properties(account_of(request))
        return answer([_shown(one) for one in properties], headers=revised(revision))

    async def get_property(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if not name:
            return await list_properties(request)
        await brand_principal(request)
        found, revision = await accounts.get_property(account_of(request), name)
        return answer({**_shown(found), "id": name}, headers=revised(revision))

    async def set_property(request: web.Request) -> web.Response:
        await administrator_principal(request)
        change = _change(await read_object(request), request.match_info.get("name", ""))
        stored, revision = await accounts.set_property(account_of(request), change, if_match(request))
        return answer({**_shown(stored), "id": change.id}, headers=revised(revision))

    async def list_grants(request: web.Request) -> web.Response:
        await brand_principal(request)
        grants, revision = await accounts.list_grants(account_of(request))
        return answer(_grants_body(grants), headers=revised(revision))

    async def set_grants(request: web.Request) -> web.Response:
        await administrator_principal(request)
        grants = dict(_grants_in(await read_object(request)))
        if not grants:
            raise Invalid("No compoundFeatureID with a value found")
        override = request.query.get("overrideAll", "").lower() == "true"
        revision = await accounts.set_grants(
            account_of(request), grants, if_match(request), replace_all=override
        )
        stored, _ = await accounts.list_grants(account_of(request))
        return answer(_grants_body(stored), headers=revised(revision))

    properties = "/api/account/{account_id}/configuration/setting/properties"
    # COMPAT: one published script leaves the name out of the path; then it is in the body
    named = properties + "/{name:[^{}/]*}"
    grants = "/api/account/{account_id}/configuration/provision/featureGrants"
    return [
        web.get(properties, list_properties),
        web.post(properties, set_property),
        web.put(properties, set_property),
        web.get(named, get_property),
        web.put(named, set_property),
        web.post(named, set_property),
        web.get(grants, list_grants),
        web.post(grants, set_grants),
    ]


def if_match(request: web.Request) -> int:
    """The revision a writer has seen; -1, or no header at all, compares nothing. Raises Invalid."""
    value = request.headers.get("If-Match", str(ANY_REVISION)).strip().strip('"')
    if value == "*":
        return ANY_REVISION
    try:
        return int(value)
    except ValueError:
        raise Invalid("If-Match must be a revision number, or -1") from None


def revised(revision: int) -> dict[str, str]:
    return {REVISION: str(revision)}


def _shown(stored: StoredProperty) -> dict[str, Any]:
    return {
        "id": stored.id,
        "type": stored.type,
        "propertyValue": {"value": stored.value},
        "createdDate": stored.created_at_ms,
        "modifiedDate": stored.modified_at_ms,
        "deleted": stored.deleted,
    }


def _change(body: dict[str, Any], name: str) -> PropertyChange:
    property_id = name or body.get("id")
    value = body.get("propertyValue")
    if not isinstance(property_id, str) or not property_id:
        raise Invalid("id is missing")
    if not isinstance(value, dict) or "value" not in value:
        raise Invalid("propertyValue.value is missing")
    kind = body.get("type", 2)
    if not isinstance(kind, int) or not 0 <= kind < 2**31:
        raise Invalid("type must be a small number")
    deleted = str(body.get("deleted", "false")).lower() == "true"
    return PropertyChange(id=property_id, value=value["value"], type=kind, deleted=deleted)


def _grants_body(grants: dict[str, str]) -> dict[str, Any]:
    data = [{"compoundFeatureID": name, "value": {"value": grants[name]}} for name in sorted(grants)]
    return {"appDataList": [{"accountList": {"accountList": [{"itemsCollection": {"data": data}}]}}]}


def _grants_in(node: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every feature in a body, wherever in the nested lists it stands."""
    if depth > _MAX_DEPTH:
        raise Invalid("The body is nested too deeply")
    if isinstance(node, list):
        for item in node:
            yield from _grants_in(item, depth + 1)
    if not isinstance(node, dict):
        return
    name, value = node.get("compoundFeatureID"), node.get("value")
    if isinstance(name, str):
        inner = value.get("value") if isinstance(value, dict) else value
        yield name, str(inner).lower() if isinstance(inner, bool) else str(inner)
    for item in node.values():
        yield from _grants_in(item, depth + 1)
