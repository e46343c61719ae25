"""`talkwire automatic-message`: what is said by itself when a conversation begins."""

from typing import Any

import click

from talkwire.cli.desk import account_option, options
from talkwire.cli.ordered_list import ListCommands
from talkwire.messaging.automatic_rules import DAYS, AutomaticMessage, Hours, OpenSpan, Trigger


def _shown(message: AutomaticMessage) -> dict[str, Any]:
    hours = message.hours
    spans = [f"{','.join(s.days)}={s.start}-{s.until}" for s in hours.spans] if hours else []
    return {
        "name": message.name,
        "trigger": message.trigger.value,
        "enabled": message.enabled,
        "skills": list(message.skill_ids),
        "hours": [*spans, hours.time_zone] if hours else [],
        "text": message.text,
    }


COMMANDS = ListCommands("automatic message", lambda desk: desk.automatic_messages, _shown)


@click.group("automatic-message")
def command() -> None:
    """What is said by itself when a conversation begins.

    Only to clients that ask for AUTO_MESSAGES, and once messaging.controller.bots.enabled is true.
    """


@command.command("list")
@account_option
@options
def list_messages(account: str, **flags: Any) -> None:
    """The messages in the order in which they are sent."""
    COMMANDS.list_items(account, flags)


@command.command("set")
@click.argument("name")
@click.argument("text")
@click.option(
    "--trigger",
    type=click.Choice([trigger.value for trigger in Trigger]),
    default=Trigger.CONVERSATION_OPENED.value,
    show_default=True,
)
@click.option("--skill", "skills", multiple=True, metavar="ID", help="Only under this skill; repeatable.")
@click.option("--hours", "spans", multiple=True, metavar="DAYS=FROM-TO", help="MON-FRI=09:00-17:00")
@click.option("--zone", default="UTC", metavar="NAME", help="Time zone of the hours [UTC].")
@click.option("--enabled/--disabled", default=True)
@account_option
@options
def set_message(  # noqa: PLR0913 -- one per option
    name: str,
    text: str,
    trigger: str,
    skills: tuple[str, ...],
    spans: tuple[str, ...],
    zone: str,
    account: str,
    *,
    enabled: bool,
    **flags: Any,
) -> None:
    """Make a message, or put it in place of the one of this name."""
    hours = Hours(tuple(_span(text) for text in spans), zone) if spans else None
    wanted = AutomaticMessage(name, Trigger(trigger), text, skills, hours, enabled)

    def change(messages: tuple[AutomaticMessage, ...]) -> list[AutomaticMessage]:
        if all(message.name != name for message in messages):
            return [*messages, wanted]
        return [wanted if message.name == name else message for message in messages]

    COMMANDS.change(account, flags, change)


@command.command("remove")
@click.argument("name")
@account_option
@options
def remove(name: str, account: str, **flags: Any) -> None:
    """Let a message go."""
    COMMANDS.remove(account, flags, name)


def _span(text: str) -> OpenSpan:
    """`MON-FRI=09:00-17:00` or `SAT,SUN=10:00-14:00`. What makes no sense is refused with the message."""
    days, _, times = text.partition("=")
    start, _, until = times.partition("-")
    return OpenSpan(_days(days.strip().upper()), start.strip(), until.strip())


def _days(text: str) -> tuple[str, ...]:
    first, is_range, last = text.partition("-")
    if is_range and first in DAYS and last in DAYS:
        return DAYS[DAYS.index(first) : DAYS.index(last) + 1]
    return tuple(day.strip() for day in text.split(",") if day.strip())
