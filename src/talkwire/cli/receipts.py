"""`talkwire receipts`: what was erased, signed; verified without a server."""

import json
from pathlib import Path
from typing import Any

import click

from talkwire.cli.desk import Desk, account_of, account_option, options, run
from talkwire.cli.failures import BadRequest, reason_of
from talkwire.history.receipts import ReceiptBroken, keys_in, verify

NOT_VERIFIED = 1


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
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def verify_file(context: click.Context, file: Path, key_file: Path | None, as_json: bool) -> None:
    """Whether a receipt is as it was signed. Needs no server and no data."""
    try:
        known = keys_in(key_file.read_bytes()) if key_file else []
        found = verify(file.read_bytes(), known)
    except OSError as error:
        raise BadRequest(f"{error.filename}: {reason_of(error)}") from error
    except ReceiptBroken as error:
        click.echo(
            json.dumps({"verified": False, "why": str(error)}) if as_json else f"NOT VERIFIED: {error}"
        )
        context.exit(NOT_VERIFIED)
    is_verified = found.is_known_key or not key_file
    said = {
        "verified": is_verified,
        "key": found.public_key,
        "keyIsKnown": found.is_known_key,
        "requestId": found.receipt.get("requestId"),
        "counts": found.receipt.get("counts"),
    }
    click.echo(json.dumps(said) if as_json else _sentence(said, is_asked=bool(key_file)))
    if not is_verified:
        context.exit(NOT_VERIFIED)


def _sentence(said: dict[str, Any], *, is_asked: bool) -> str:
    if said["keyIsKnown"]:
        return f"VERIFIED: request {said['requestId']}, {said['counts']}"
    if is_asked:
        return f"NOT VERIFIED: nothing was changed, but the key {said['key']} is not one of those given"
    return (
        f"UNCHANGED since it was signed: request {said['requestId']}, {said['counts']}\n"
        f"by the key {said['key']}; whose it is, says only a list you trust: --key FILE"
    )
