"""`talkwire feature`: what the operator grants a brand."""

from typing import Any

import click

from talkwire.cli.desk import Desk, account_of, account_option, options, run


@click.group("feature")
def command() -> None:
    """What the operator grants a brand, such as files for its agents."""


@command.command("list")
@account_option
@options
def list_features(account: str, **flags: Any) -> None:
    """Every feature that was ever granted or refused."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        grants, _ = await desk.accounts.list_grants(await account_of(desk, account))
        return [{"name": name, "value": value} for name, value in sorted(grants.items())]

    run(flags, work)


def _switch(flags: dict[str, Any], account: str, name: str, value: str) -> None:
    async def work(desk: Desk) -> dict[str, Any]:
        await desk.accounts.set_grants(await account_of(desk, account), {name: value})
        return {"name": name, "value": value}

    run(flags, work)


@command.command("grant")
@click.argument("name")
@account_option
@options
def grant(name: str, account: str, **flags: Any) -> None:
    """Grant a feature: `feature grant Messaging.Agent_File_Sharing`."""
    _switch(flags, account, name, "true")


@command.command("revoke")
@click.argument("name")
@account_option
@options
def revoke(name: str, account: str, **flags: Any) -> None:
    """Take a feature back."""
    _switch(flags, account, name, "false")
