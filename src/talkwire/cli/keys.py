"""`talkwire keys`: what lies in the key store, and new keys in place of old ones."""

from typing import Any

import click

from talkwire.accounts.rules import check_account_id
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.cli.desk import Desk, account_of, options, run
from talkwire.cli.failures import BadRequest
from talkwire.kernel.errors import TalkwireError
from talkwire.settings import Settings
from talkwire.vault.requests import Key, Request, ask


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
        await desk.rotations.rotate(Request(Key.MASTER))
        return (await desk.vault.counts())._asdict()

    run(flags, work, lambda settings: _ask(settings, Key.MASTER))


@command.command("rotate-account")
@click.argument("account")
@options
def rotate_account(account: str, **flags: Any) -> None:
    """Give ACCOUNT a new key, and destroy the old one. A running server is asked to do it."""
    _rotate_of(account, Key.ACCOUNT, flags)


@command.command("rotate-urls")
@click.argument("account")
@options
def rotate_urls(account: str, **flags: Any) -> None:
    """Give ACCOUNT a new key that signs its temporary URLs. A running server is asked to do it.

    The former key stays valid until the next rotation, so that no URL on its way dies. When it may have become
    known, rotate twice, a minute apart.
    """
    _rotate_of(account, Key.URLS, flags)


def _rotate_of(account: str, key: Key, flags: dict[str, Any]) -> None:
    async def work(desk: Desk) -> dict[str, Any]:
        account_id = await account_of(desk, account)
        await desk.rotations.rotate(Request(key, account_id))
        return {"account": account_id, "rotated": True}

    try:
        check_account_id(account)  # the running server does not say what is wrong with it
    except TalkwireError as error:
        raise BadRequest(str(error)) from error
    run(flags, work, lambda settings: _ask(settings, key, account))


def _ask(settings: Settings, key: Key, account: str = "") -> dict[str, Any]:
    ask(settings.storage.keys_path, Request(key, account, ACTOR.get(), ORIGIN.get()))
    return {"asked": "the running server; its log and the audit trail say when it is done"}
