"""`talkwire property`: what a brand may change while the server runs."""

import json
from typing import Any

import click

from talkwire.accounts.model import PropertyChange, StoredProperty
from talkwire.accounts.properties import PROPERTIES
from talkwire.cli.desk import Desk, account_of, account_option, options, run


@click.group("property")
def command() -> None:
    """What a brand may change while the server runs, such as switching file sharing on."""


@command.command("list")
@account_option
@options
def list_properties(account: str, **flags: Any) -> None:
    """What is set, and what has a meaning here though it is not set."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        stored, _ = await desk.accounts.list_properties(await account_of(desk, account))
        found = {one.id: _shown(one) for one in stored}
        for prop in PROPERTIES.values():
            found.setdefault(prop.name, {"name": prop.name, "value": f"{json.dumps(prop.default)} (default)"})
        return [found[name] for name in sorted(found)]

    run(flags, work)


@command.command("get")
@click.argument("name")
@account_option
@options
def get(name: str, account: str, **flags: Any) -> None:
    """One property, as it was set."""

    async def work(desk: Desk) -> dict[str, Any]:
        stored, _ = await desk.accounts.get_property(await account_of(desk, account), name)
        return _shown(stored)

    run(flags, work)


@command.command("set")
@click.argument("name")
@click.argument("value")
@account_option
@options
def change(name: str, value: str, account: str, **flags: Any) -> None:
    """Set a property: `property set messaging.file.sharing.enabled true`."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        stored, _ = await desk.accounts.set_property(account_id, PropertyChange(name, value))
        return _shown(stored)

    run(flags, work)


@command.command("unset")
@click.argument("name")
@account_option
@options
def unset(name: str, account: str, **flags: Any) -> None:
    """Back to the default."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        await desk.accounts.set_property(account_id, PropertyChange(name, None, deleted=True))
        return {"removed": name}

    run(flags, work)


def _shown(stored: StoredProperty) -> dict[str, Any]:
    return {"name": stored.id, "value": stored.value}
