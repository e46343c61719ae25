"""Routing rules over HTTP, a way of our own: the whole ordered list is read and written at once."""

from typing import Any

import msgspec
from aiohttp import web

from talkwire.httpapi.authorization import account_of, administrator_principal
from talkwire.httpapi.bodies import answer, read_json
from talkwire.httpapi.configuration import if_match, revised
from talkwire.kernel.errors import Invalid
from talkwire.routing.rules import RoutingRule
from talkwire.routing.skill_rules import SkillRules

PATH = "/api/account/{account_id}/configuration/routing-rules"


def routes(rules: SkillRules) -> list[web.RouteDef]:
    async def list_rules(request: web.Request) -> web.Response:
        await administrator_principal(request)
        found, revision = await rules.list_rules(account_of(request))
        return answer(found, headers=revised(revision))

    async def replace_rules(request: web.Request) -> web.Response:
        """`[{"name": …, "skillId": …, "conditions": [{"field": …, "operator": "is", "values": […]}]}]`"""
        await administrator_principal(request)
        wanted = _rules_in(await read_json(request))
        kept, revision = await rules.replace(account_of(request), wanted, if_match(request))
        return answer(kept, headers=revised(revision))

    return [web.get(PATH, list_rules), web.put(PATH, replace_rules)]


def _rules_in(body: Any) -> list[RoutingRule]:
    """COMPAT: skill ids and values come as texts or as numbers. Raises Invalid."""
    if not isinstance(body, list):
        raise Invalid("The body is not a JSON array of rules")
    try:
        return msgspec.convert([_texts(rule) for rule in body], list[RoutingRule])
    except msgspec.ValidationError as error:
        raise Invalid(f"Routing rules: {error}") from None


def _texts(rule: Any) -> Any:
    if not isinstance(rule, dict):
        return rule
    conditions = rule.get("conditions")
    shown = dict(rule)
    if isinstance(rule.get("skillId"), int):
        shown["skillId"] = str(rule["skillId"])
    if isinstance(conditions, list):
        shown["conditions"] = [_text_values(condition) for condition in conditions]
    return shown


def _text_values(condition: Any) -> Any:
    values = condition.get("values") if isinstance(condition, dict) else None
    if not isinstance(values, list):
        return condition
    return {**condition, "values": [str(v) if isinstance(v, int | float) else v for v in values]}
