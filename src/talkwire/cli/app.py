"""`talkwire app`: the connectors that a brand lets in."""

from typing import Any

import click

from talkwire.cli.desk import Desk, account_of, account_option, options, run
from talkwire.cli.failures import BadRequest
from talkwire.connectors.model import EVENT_KEYS, App, AppDraft, Webhook


@click.group("app")
def command() -> None:
    """The connectors that a brand lets in."""


def details(program: Any) -> Any:
    """The options that describe an app."""
    for option in (
        click.option("--scope", help="What its tokens cover [msg.consumer]."),
        click.option("--retention-seconds", type=int, help="Retry webhooks for so long, 2 to 259200."),
        click.option("--max-retries", type=int, help="Retry webhooks so often, 0 to 5."),
        click.option(
            "--webhook", "webhooks", multiple=True, metavar="EVENT=URL", help="Where one kind of event goes."
        ),
        click.option("--endpoint", metavar="URL", help="Where every kind of event goes."),
        click.option("--description"),
    ):
        program = option(program)
    return program


@command.command("create")
@click.argument("name")
@details
@account_option
@options
def create(name: str, account: str, **flags: Any) -> None:
    """Install an app; its secret is shown this once."""

    async def work(desk: Desk) -> dict[str, Any]:
        made = await desk.apps.create(await account_of(desk, account), _draft(flags, name=name))
        return {**_shown(made.app), "client_secret": made.secret}

    run(flags, work)


@command.command("list")
@account_option
@options
def list_apps(account: str, **flags: Any) -> None:
    """Every app of a brand."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        apps = await desk.apps.list_apps(await account_of(desk, account))
        return [
            {"client_id": app.client_id, "name": app.name, "enabled": app.enabled, "scope": app.scope}
            for app in apps
        ]

    run(flags, work)


@command.command("show")
@click.argument("client_id", metavar="ID")
@account_option
@options
def show(client_id: str, account: str, **flags: Any) -> None:
    """One app, without its secret."""

    async def work(desk: Desk) -> dict[str, Any]:
        return _shown(await desk.apps.get(await account_of(desk, account), client_id))

    run(flags, work)


@command.command("update")
@click.argument("client_id", metavar="ID")
@click.option("--name")
@click.option("--enabled/--disabled", default=None, help="A disabled app may do nothing.")
@details
@account_option
@options
def update(client_id: str, account: str, name: str | None, enabled: bool | None, **flags: Any) -> None:
    """Change what is given; webhooks are given all at once."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        draft = _draft(flags, name=name, enabled=enabled)
        return _shown(await desk.apps.update(account_id, client_id, draft))

    run(flags, work)


@command.command("delete")
@click.argument("client_id", metavar="ID")
@account_option
@options
def delete(client_id: str, account: str, **flags: Any) -> None:
    """Let an app go: its tokens end at once, its conversations stay."""

    async def work(desk: Desk) -> dict[str, Any]:
        await desk.apps.delete(await account_of(desk, account), client_id)
        return {"deleted": client_id}

    run(flags, work)


@command.command("rotate-secret")
@click.argument("client_id", metavar="ID")
@account_option
@options
def rotate_secret(client_id: str, account: str, **flags: Any) -> None:
    """Give an app another secret, shown this once; the old one signs no more."""

    async def work(desk: Desk) -> dict[str, Any]:
        made = await desk.apps.rotate_secret(await account_of(desk, account), client_id)
        return {"client_id": client_id, "client_secret": made.secret}

    run(flags, work)


def _draft(flags: dict[str, Any], **members: Any) -> AppDraft:
    webhooks = _webhooks(flags)
    if webhooks is None and (flags["retention_seconds"] is not None or flags["max_retries"] is not None):
        raise BadRequest("--retention-seconds and --max-retries go with --endpoint or --webhook")
    return AppDraft(
        description=flags["description"],
        scope=flags["scope"],
        webhooks=webhooks,
        retention_seconds=flags["retention_seconds"],
        **members,
    )


def _webhooks(flags: dict[str, Any]) -> dict[str, Webhook] | None:
    """Those that the options name; None when they name none."""
    addresses = dict.fromkeys(EVENT_KEYS, flags["endpoint"]) if flags["endpoint"] else {}
    for one in flags["webhooks"]:
        key, equals, url = one.partition("=")
        if not equals:
            raise BadRequest(f"--webhook takes EVENT=URL; events are {', '.join(EVENT_KEYS)}")
        addresses[key] = url
    return {key: Webhook(url, max_retries=flags["max_retries"]) for key, url in addresses.items()} or None


def _shown(app: App) -> dict[str, Any]:
    return {
        "client_id": app.client_id,
        "name": app.name,
        "description": app.description,
        "enabled": app.enabled,
        "scope": app.scope,
        "webhooks": [f"{key}={webhook.endpoint}" for key, webhook in app.webhooks.items()],
        "retention_seconds": app.retention_seconds,
        "revision": app.revision,
    }
