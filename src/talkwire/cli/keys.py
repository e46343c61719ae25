"""`talkwire keys`: what lies in the key store, and new keys in place of old ones."""

from typing import Any

import click

from talkwire.accounts.rules import check_account_id
from talkwire.cli.desk import Desk, account_of, options, run
from talkwire.cli.failures import BadRequest
from talkwire.kernel.errors import TalkwireError
from talkwire.settings import Settings
from talkwire.vault.requests import MASTER, ask, rotate


@click.group("keys")
def command() -> None:
    """The keys that files and personal data are encrypted with."""


@command.command("status")
@options
def status(**flags: Any) -> None:
    """Which master key is in force, and how much lies under it."""

    async def work(desk: Desk) -> dict[str, Any]:
        return (await desk.vault.counts())._asdict()

    run(flags, work)


@command.command("rotate-master")
@options
def rotate_master(**flags: Any) -> None:
    """Wrap all account keys with a new master key, and destroy the old one.

    A running server is asked to do it, and does within seconds. Where the master key comes from a setting,
    first give every node the new one as master_key, the old one as master_key_former.
    """

    async def work(desk: Desk) -> dict[str, Any]:
        await rotate(desk.vault, MASTER, desk.rotated)
        return (await desk.vault.counts())._asdict()

    run(flags, work, lambda settings: _ask(settings, MASTER))


@command.command("rotate-account")
@click.argument("account")
@options
def rotate_account(account: str, **flags: Any) -> None:
    """Give ACCOUNT a new key, and destroy the old one. A running server is asked to do it."""

    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        await rotate(desk.vault, account_id, desk.rotated)
        return {"account": account_id, "rotated": True}

    try:
        check_account_id(account)  # the running server takes other words for more than one account
    except TalkwireError as error:
        raise BadRequest(str(error)) from error
    run(flags, work, lambda settings: _ask(settings, account))


def _ask(settings: Settings, whose: str) -> dict[str, Any]:
    ask(settings.storage.keys_path, whose)
    return {"asked": "the running server; its log and the audit trail say when it is done"}
