"""`talkwire webhooks`: how endpoints fare, and what could not be delivered."""

from datetime import UTC, datetime
from typing import Any

import click

from talkwire.cli.desk import Desk, account_of, account_option, options, run
from talkwire.connectors.delivery_model import EndpointReport, StoredLetter


@click.group("webhooks")
def command() -> None:
    """How endpoints fare, and what could not be delivered."""


@command.command("list")
@account_option
@options
def list_waiting(account: str, **flags: Any) -> None:
    """Endpoints with something to deliver, to try again, or given up."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        reports = await desk.deliveries.list_endpoints(await account_of(desk, account))
        return [_shown(r) for r in reports if r.waiting or r.retrying or r.dead]

    run(flags, work)


@command.command("endpoints")
@account_option
@options
def endpoints(account: str, **flags: Any) -> None:
    """Every endpoint and its state."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        reports = await desk.deliveries.list_endpoints(await account_of(desk, account))
        return [_shown(report) for report in reports]

    run(flags, work)


@command.command("dead")
@click.option("--app", "client_id", metavar="ID", default="", help="Of this app only.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@account_option
@options
def dead(account: str, client_id: str, limit: int, **flags: Any) -> None:
    """Deliveries that were given up, the newest first."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        letters = await desk.deliveries.list_dead(await account_of(desk, account), client_id, limit)
        return [_brief(letter) for letter in letters]

    run(flags, work)


@command.command("show")
@click.argument("delivery_id", metavar="ID")
@account_option
@options
def show(delivery_id: str, account: str, **flags: Any) -> None:
    """One delivery that was given up, for each endpoint that did not get it."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        letters = await desk.deliveries.get_dead(await account_of(desk, account), delivery_id)
        return [_whole(letter) for letter in letters]

    run(flags, work)


@command.command("replay")
@click.argument("delivery_id", metavar="ID", default="")
@click.option("--app", "client_id", metavar="ID", default="", help="With --all: of this app only.")
@click.option("--all", "everything", is_flag=True, help="All that were given up.")
@account_option
@options
def replay(delivery_id: str, client_id: str, account: str, everything: bool, **flags: Any) -> None:
    """Deliver again, at once and out of order. With --all, what its app is told of no more stays on the list."""
    if everything == bool(delivery_id):
        raise click.UsageError("name one delivery, or say --all")

    async def work(desk: Desk) -> list[dict[str, Any]]:
        account_id = await account_of(desk, account)
        if everything:
            return [{"replayed": await desk.deliveries.replay_all(account_id, client_id)}]
        return [_brief(letter) for letter in await desk.deliveries.replay(account_id, delivery_id)]

    run(flags, work)


@command.command("drop")
@click.argument("delivery_id", metavar="ID")
@account_option
@options
def drop(delivery_id: str, account: str, **flags: Any) -> None:
    """Take a delivery off the list; the event stays in its conversation."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        letters = await desk.deliveries.drop(await account_of(desk, account), delivery_id)
        return [_brief(letter) for letter in letters]

    run(flags, work)


def _shown(report: EndpointReport) -> dict[str, Any]:
    return {
        "app": report.endpoint.client_id,
        "endpoint": report.endpoint.url,
        "state": report.state.value,
        "since": _moment(report.state_at_ms),
        "waiting": report.waiting,
        "retrying": report.retrying,
        "dead": report.dead,
        "next": _moment(report.retry_at_ms) if report.failures else "-",
        "error": report.last_error or "-",
    }


def _brief(letter: StoredLetter) -> dict[str, Any]:
    return {
        "id": letter.delivery.delivery_id,
        "app": letter.client_id,
        "event": letter.delivery.event_key,
        "of": _moment(letter.delivery.event_at_ms),
        "given_up": _moment(letter.died_at_ms),
        "why": letter.reason,
    }


def _whole(letter: StoredLetter) -> dict[str, Any]:
    return _brief(letter) | {
        "endpoint": letter.url,
        "conversation": letter.delivery.conversation_id,
        "dialog": letter.delivery.dialog_id,
        "sequence": letter.delivery.sequence,
        "attempts": letter.attempts,
        "error": letter.last_error or "-",
    }


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds") if at_ms else "-"
