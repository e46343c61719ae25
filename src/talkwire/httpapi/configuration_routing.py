"""Routing rules over HTTP.

`[{"name": …, "skillId": …, "conditions": [{"field": …, "operator": "is", "values": […]}]}]`
"""

from typing import Any

from aiohttp import web

from talkwire.httpapi.configuration_lists import list_routes, number_as_text
from talkwire.routing.skill_rules import SkillRules

PATH = "/api/account/{account_id}/configuration/routing-rules"


def routes(rules: SkillRules) -> list[web.RouteDef]:
    return list_routes(PATH, rules, _tidied)


def _tidied(rule: Any) -> Any:
    """COMPAT: skill ids and values come as texts or as numbers."""
    if not isinstance(rule, dict):
        return rule
    conditions = rule.get("conditions")
    shown = dict(rule)
    if "skillId" in rule:
        shown["skillId"] = number_as_text(rule["skillId"])
    if isinstance(conditions, list):
        shown["conditions"] = [_text_values(condition) for condition in conditions]
    return shown


def _text_values(condition: Any) -> Any:
    values = condition.get("values") if isinstance(condition, dict) else None
    if not isinstance(values, list):
        return condition
    return {**condition, "values": [number_as_text(value) for value in values]}
