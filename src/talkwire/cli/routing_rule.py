"""`talkwire routing-rule`: which skill a new conversation goes to, by what is known of its consumer."""

from typing import Any

import click

from talkwire.cli.desk import account_option, options
from talkwire.cli.ordered_list import ListCommands
from talkwire.kernel.ids import SkillId
from talkwire.routing.rules import Condition, Operator, RoutingRule

OPERATORS = {
    "!=": Operator.IS_NOT,
    ">=": Operator.AT_LEAST,
    "<=": Operator.AT_MOST,
    "^=": Operator.STARTS_WITH,
    "*=": Operator.CONTAINS,
    "=": Operator.IS,
}
"""How conditions are typed; the longer signs first."""


def _shown(rule: RoutingRule) -> dict[str, Any]:
    signs = {operator: sign for sign, operator in OPERATORS.items()}
    conditions = [
        f"{c.field}{signs[c.operator]}{','.join(c.values)}" if c.operator in signs else c.field
        for c in rule.conditions
    ]
    return {"name": rule.name, "skill": rule.skill_id, "enabled": rule.enabled, "when": conditions}


COMMANDS = ListCommands("routing rule", lambda desk: desk.skill_rules, _shown)


@click.group("routing-rule")
def command() -> None:
    """Which skill a new conversation goes to, by what is known of its consumer."""


@command.command("list")
@account_option
@options
def list_rules(account: str, **flags: Any) -> None:
    """The rules in their order; the first that holds decides."""
    COMMANDS.list_items(account, flags)


@command.command("set")
@click.argument("name")
@click.argument("skill_id", metavar="SKILL")
@click.option(
    "--when",
    "conditions",
    multiple=True,
    required=True,
    metavar="FIELD=VALUE[,VALUE]",
    help="All must hold: companyBranch=Berlin,Bonn  ctype!=vip  balance>=1000  customerId^=X  a bare field: is set.",
)
@click.option("--at", "position", type=click.IntRange(min=1), help="Place in the list [its own, or last].")
@click.option("--enabled/--disabled", default=True)
@account_option
@options
def set_rule(
    name: str,
    skill_id: str,
    conditions: tuple[str, ...],
    account: str,
    position: int | None,
    *,
    enabled: bool,
    **flags: Any,
) -> None:
    """Make a rule, or put it in place of the one of this name (`-- -1`: to anybody)."""
    wanted = RoutingRule(name, SkillId(skill_id), tuple(_condition(text) for text in conditions), enabled)

    def change(rules: tuple[RoutingRule, ...]) -> list[RoutingRule]:
        names = [rule.name for rule in rules]
        place = names.index(name) if name in names else len(names)
        others = [rule for rule in rules if rule.name != name]
        others.insert(position - 1 if position else place, wanted)
        return others

    COMMANDS.change(account, flags, change)


@command.command("remove")
@click.argument("name")
@account_option
@options
def remove(name: str, account: str, **flags: Any) -> None:
    """Let a rule go."""
    COMMANDS.remove(account, flags, name)


def _condition(text: str) -> Condition:
    for sign, operator in OPERATORS.items():
        field, found, values = text.partition(sign)
        if found:
            listed = tuple(value.strip() for value in values.split(",") if value.strip())
            return Condition(field.strip(), operator, listed)
    return Condition(text.strip(), Operator.IS_SET)
