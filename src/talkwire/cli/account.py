"""`talkwire account`: brands, and the keys by which their consumers are known."""

from pathlib import Path
from typing import Any

import click

from talkwire.accounts.model import Account
from talkwire.cli.desk import Desk, account_of, options, run
from talkwire.kernel.ids import AccountId


@click.group("account")
def command() -> None:
    """Brands, and the keys by which their consumers are known."""


@command.command("create")
@click.argument("account_id", metavar="ID")
@click.option("--name", default="", help="What people call it.")
@options
def create(account_id: str, name: str, **flags: Any) -> None:
    """Make a brand, with every switch off and nobody in it."""

    async def work(desk: Desk) -> dict[str, Any]:
        return _shown(await desk.accounts.create(AccountId(account_id), name))

    run(flags, work)


@command.command("list")
@options
def list_accounts(**flags: Any) -> None:
    """Every brand of this server."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        return [_shown(account) for account in await desk.accounts.list_accounts()]

    run(flags, work)


@command.command("trust-key")
@click.argument("account_id", metavar="ID")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--issuer", default="", help="What `iss` of its tokens must be.")
@options
def trust_key(account_id: str, name: str, file: Path, issuer: str, **flags: Any) -> None:
    """Believe an RSA public key (PEM) of the brand's identity service about its customers."""
    pem = file.read_text(encoding="utf-8", errors="replace")

    async def work(desk: Desk) -> dict[str, Any]:
        account = await account_of(desk, account_id)
        key = await desk.brand_keys.put(account, name, pem, issuer)
        return {"name": key.key_id, "issuer": key.issuer}

    run(flags, work)


@command.command("distrust-key")
@click.argument("account_id", metavar="ID")
@click.argument("name")
@options
def distrust_key(account_id: str, name: str, **flags: Any) -> None:
    """Believe a key no more."""

    async def work(desk: Desk) -> dict[str, Any]:
        await desk.brand_keys.delete(await account_of(desk, account_id), name)
        return {"removed": name}

    run(flags, work)


@command.command("keys")
@click.argument("account_id", metavar="ID")
@options
def list_keys(account_id: str, **flags: Any) -> None:
    """The keys that are believed."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        keys = await desk.brand_keys.list_keys(await account_of(desk, account_id))
        return [{"name": key.key_id, "issuer": key.issuer} for key in keys]

    run(flags, work)


@command.command("rotate-key")
@click.argument("account_id", metavar="ID")
@options
def rotate_key(account_id: str, **flags: Any) -> None:
    """Sign consumers' tokens with a new key from now on; nobody is signed out."""

    async def work(desk: Desk) -> dict[str, Any]:
        return {"kid": await desk.signing_keys.rotate(await account_of(desk, account_id))}

    run(flags, work)


def _shown(account: Account) -> dict[str, Any]:
    return {"id": account.account_id, "name": account.name}
