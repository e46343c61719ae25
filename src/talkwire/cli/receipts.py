"""`talkwire receipts`: what was erased, signed; verified without a server."""

import json
from pathlib import Path
from typing import Any

import click

from talkwire.cli.desk import Desk, account_of, account_option, options, run
from talkwire.cli.failures import BadRequest, reason_of
from talkwire.history.receipts import ReceiptBroken, Verified, keys_in, verify

NOT_VERIFIED = 1
NO_KEY_GIVEN = 3
"""Unchanged, and by whom it was signed is not known. 2 is what made no sense, as ever."""


@click.group("receipts")
def command() -> None:
    """What was erased, signed; verified without a server."""


@command.command("list")
@account_option
@options
def list_receipts(account: str, **flags: Any) -> None:
    """Every receipt, newest first."""

    async def work(desk: Desk) -> list[dict[str, Any]]:
        found = await desk.erasures.list_receipts(await account_of(desk, account))
        return [
            {"id": one.request_id, "at": one.at_ms, **json.loads(one.receipt)["receipt"]["counts"]}
            for one in found
        ]

    run(flags, work)


@command.command("show")
@click.argument("request_id", metavar="ID", type=int)
@click.option("--to", "target", metavar="FILE", help="Write the signed receipt here, as it is.")
@account_option
@options
def show(request_id: int, target: str | None, account: str, **flags: Any) -> None:
    """The signed receipt of a deletion request."""

    async def work(desk: Desk) -> dict[str, Any]:
        found = await desk.erasures.get_receipt(await account_of(desk, account), request_id)
        if target:
            Path(target).write_text(found.receipt + "\n", encoding="utf-8")  # noqa: ASYNC240 -- nobody else waits
            return {"written": target}
        click.echo(found.receipt)
        return {}

    run({**flags, "as_json": flags.get("as_json") and bool(target)}, work)


@command.command("keys")
@account_option
@options
def keys(account: str, **flags: Any) -> None:
    """The public keys that receipts are verified with; keep them where the server cannot change them."""

    async def work(desk: Desk) -> dict[str, Any]:
        return await desk.receipt_keys.published(await account_of(desk, account))

    run({**flags, "as_json": True}, work)


@command.command("verify")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "key_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keys that are trusted: `talkwire receipts keys`, or one key in hex.",
)
@click.option("--here", is_flag=True, help="Trust the keys of this installation (--data, --keys).")
@options
def verify_file(file: Path, key_file: Path | None, here: bool, **flags: Any) -> None:
    """Whether a receipt is as it was signed, by a key that is known.

    With --key it needs no server and no data. Exit code 0: verified. 1: not verified, it was changed or signed with
    another key than those known. 3: not verified, for no key was given to know it by; it is unchanged since
    somebody signed it, which anybody can do.
    """
    as_json = bool(flags["as_json"])
    try:
        found = verify(file.read_bytes())
        known = keys_in(key_file.read_bytes()) if key_file else []
    except OSError as error:
        raise BadRequest(f"{error.filename}: {reason_of(error)}") from error
    except ReceiptBroken as error:
        said = {"verified": False, "unchanged": False, "why": str(error)}
        click.echo(json.dumps(said) if as_json else f"NOT VERIFIED: {error}")
        raise click.exceptions.Exit(NOT_VERIFIED) from error
    if here:
        known += _keys_here(str(found.receipt.get("accountId", "")), flags)
    is_known = found.public_key in known
    _say(found, is_known=is_known, is_asked=bool(key_file or here), as_json=as_json)
    if not is_known:
        raise click.exceptions.Exit(NOT_VERIFIED if key_file or here else NO_KEY_GIVEN)


def _keys_here(account: str, flags: dict[str, Any]) -> list[str]:
    """The keys that this installation signs the account's receipts with."""
    known: list[str] = []

    async def work(desk: Desk) -> dict[str, Any]:
        published = await desk.receipt_keys.published(await account_of(desk, account))
        known.extend(one["publicKey"] for one in published["keys"])
        return {}

    run({**flags, "as_json": False}, work)
    return known


def _say(found: Verified, *, is_known: bool, is_asked: bool, as_json: bool) -> None:
    said = {
        "verified": is_known,
        "unchanged": True,
        "key": found.public_key,
        "keyIsKnown": is_known,
        "requestId": found.receipt.get("requestId"),
        "counts": found.receipt.get("counts"),
    }
    click.echo(json.dumps(said) if as_json else _sentence(said, is_asked=is_asked))


def _sentence(said: dict[str, Any], *, is_asked: bool) -> str:
    if said["verified"]:
        return f"VERIFIED: request {said['requestId']}, {said['counts']}"
    if is_asked:
        return f"NOT VERIFIED: nothing was changed, but the key {said['key']} is not one of those known"
    return (
        f"NOT VERIFIED: unchanged since it was signed (request {said['requestId']}, {said['counts']}),\n"
        f"by the key {said['key']}; anybody can sign: whose key it is, says only a list you trust: --key FILE"
    )
