"""Routing rules: which skill a new conversation goes to, by what is known of its consumer. Pure.

Asked only when neither a skill nor a campaign was named. The first rule whose conditions all hold decides.
Source: docs/protocol.md 5.3, 5.9; Connector API, "Create a new conversation and report SDEs".
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from talkwire.kernel.ids import SkillId
from talkwire.routing.errors import RuleInvalid

MAX_RULES = 200
MAX_CONDITIONS = 20
MAX_VALUES = 200
MAX_CHARACTERS = 256

FIELDS: dict[str, tuple[str, ...]] = {
    "ctmrinfo.info": (
        "customerId", "socialId", "ctype", "cstatus", "balance", "imei", "userName", "companySize",
        "companyBranch", "accountName", "role", "lastPaymentDate.day", "lastPaymentDate.month",
        "lastPaymentDate.year", "registrationDate.day", "registrationDate.month", "registrationDate.year",
    ),
    "personal.personal": (
        "firstname", "lastname", "age.age", "age.day", "age.month", "age.year", "contacts.email",
        "contacts.phone", "gender", "language", "company",
    ),
}  # fmt: skip
"""The members of the two kinds of SDEs that rules may ask for, under the SDE's type and its inner object."""


class Operator(StrEnum):
    IS = "is"  # one of the values, whatever the case
    IS_NOT = "isNot"  # none of the values; also when nothing is known
    STARTS_WITH = "startsWith"
    CONTAINS = "contains"
    AT_LEAST = "atLeast"  # as numbers
    AT_MOST = "atMost"
    IS_SET = "isSet"


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must be known of the consumer. `field` is a canonical one, as `canonical_field` gives it."""

    field: str
    operator: Operator = Operator.IS
    values: tuple[str, ...] = ()


class RoutingRule(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A skill, and when to choose it."""

    name: str
    skill_id: SkillId
    conditions: tuple[Condition, ...]
    enabled: bool = True


def canonical_field(name: str) -> str:
    """The full path of a field, for `companyBranch`, `personal.gender` and the like. Raises RuleInvalid."""
    for prefix, members in FIELDS.items():
        kind = prefix.partition(".")[0]
        for member in members:
            if name in {member, f"{kind}.{member}", f"{prefix}.{member}"}:
                return f"{prefix}.{member}"
    raise RuleInvalid(f"No field {name[:MAX_CHARACTERS]!r} in the SDEs ctmrinfo and personal")


def checked(rules: Sequence[RoutingRule]) -> tuple[RoutingRule, ...]:
    """The rules as they are kept. Raises RuleInvalid."""
    if len(rules) > MAX_RULES:
        raise RuleInvalid(f"An account has at most {MAX_RULES} routing rules")
    names = [rule.name for rule in rules]
    if len(set(names)) != len(names):
        raise RuleInvalid("Two routing rules have one name")
    return tuple(_checked(rule) for rule in rules)


def _checked(rule: RoutingRule) -> RoutingRule:
    if not rule.name.strip() or len(rule.name) > MAX_CHARACTERS:
        raise RuleInvalid(f"A rule's name has 1 to {MAX_CHARACTERS} characters")
    if not 0 < len(rule.conditions) <= MAX_CONDITIONS:
        raise RuleInvalid(f"A rule has 1 to {MAX_CONDITIONS} conditions")
    conditions = tuple(_checked_condition(condition) for condition in rule.conditions)
    return msgspec.structs.replace(rule, name=rule.name.strip(), conditions=conditions)


def _checked_condition(condition: Condition) -> Condition:
    if condition.operator is Operator.IS_SET:
        if condition.values:
            raise RuleInvalid("isSet takes no values")
    elif not 0 < len(condition.values) <= MAX_VALUES:
        raise RuleInvalid(f"A condition has 1 to {MAX_VALUES} values")
    if any(not value or len(value) > MAX_CHARACTERS for value in condition.values):
        raise RuleInvalid(f"A value has 1 to {MAX_CHARACTERS} characters")
    if condition.operator in _NUMERIC and any(_number(value) is None for value in condition.values):
        raise RuleInvalid(f"{condition.operator} takes numbers")
    return msgspec.structs.replace(condition, field=canonical_field(condition.field))


def choose_skill(rules: Sequence[RoutingRule], profile: Mapping[str, Any] | None) -> SkillId | None:
    """The skill of the first rule that holds; None when none does.

    `profile` is the consumer's in the wire's shape. What the brand's token said of a field counts before
    what the consumer said of itself.
    """
    if not rules or not profile:
        return None
    verified = _sdes(profile.get("claims"))
    told = _sdes(profile.get("authenticatedData"))
    for rule in rules:
        if rule.enabled and all(_holds(condition, verified, told) for condition in rule.conditions):
            return rule.skill_id
    return None


def _sdes(section: object) -> list[Mapping[str, Any]]:
    items = section.get("lp_sdes") if isinstance(section, Mapping) else None
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _holds(
    condition: Condition, verified: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]
) -> bool:
    found = _found(verified, condition.field) or _found(told, condition.field)
    wanted = [value.casefold() for value in condition.values]
    if condition.operator is Operator.IS_SET:
        return bool(found)
    if condition.operator is Operator.IS_NOT:
        return not any(value in wanted for value in found)
    return any(_agrees(condition.operator, value, one) for value in found for one in wanted)


def _agrees(operator: Operator, value: str, wanted: str) -> bool:
    match operator:
        case Operator.STARTS_WITH:
            return value.startswith(wanted)
        case Operator.CONTAINS:
            return wanted in value
        case Operator.AT_LEAST | Operator.AT_MOST:
            number, bound = _number(value), _number(wanted)
            if number is None or bound is None:
                return False
            return number >= bound if operator is Operator.AT_LEAST else number <= bound
        case _:
            return value == wanted


_NUMERIC = frozenset({Operator.AT_LEAST, Operator.AT_MOST})


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _found(sdes: Sequence[Mapping[str, Any]], field: str) -> list[str]:
    """What the last SDE that has the field says of it, as texts in lower case; empty ones left out."""
    kind, *path = field.split(".")
    for sde in reversed(sdes):
        if sde.get("type") == kind:
            values = [text for value in _walk(sde, path) if (text := _text(value))]
            if values:
                return values
    return []


def _walk(node: object, path: Sequence[str]) -> Iterable[object]:
    """Everything at the end of a path; lists are gone through."""
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, path)
    elif not path:
        yield node
    elif isinstance(node, Mapping):
        yield from _walk(node.get(path[0]), path[1:])


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value).strip().casefold()
    return ""
