"""`talkwire audit`: the trail of what was done, read and verified, also while a server runs."""

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from talkwire.audit import store
from talkwire.audit.anchors import find_anchor, list_anchored
from talkwire.audit.export import FOREVER_MS, Line, export, verify_lines
from talkwire.audit.model import Opened
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.audit.rules import restored
from talkwire.audit.sealing import CODE_PURPOSE
from talkwire.audit.verification import Report, verify
from talkwire.backends.database.port import DatabaseInUse
from talkwire.cli.configuration import BadSettings
from talkwire.cli.desk import load_settings, options, show
from talkwire.cli.failures import BadRequest, CannotStart, reason_of
from talkwire.kernel.errors import Unavailable
from talkwire.vault.errors import MasterKeyWrong, Tampered

if TYPE_CHECKING:
    from talkwire.assembly.reading import Looking

NOT_WHOLE = 1
"""Exit code of a verification that found something."""


@click.group("audit")
def command() -> None:
    """What was done, by whom and from where: read and verified, also while a server runs."""


@command.command("export")
@click.argument("account_id", metavar="ACCOUNT")
@click.option(
    "--from", "since", metavar="TIME", default="", help="From this moment on: 2024-01-31, or with T12:00:00."
)
@click.option("--to", "until", metavar="TIME", default="", help="Up to, and without, this moment.")
@click.option("--output", metavar="FILE", help="Write it here instead of to standard output.")
@options
def export_trail(account_id: str, since: str, until: str, output: str | None, **flags: Any) -> None:
    """Every record, oldest first; with `--json` as lines that `audit verify --file` takes, anywhere."""
    span = moment_of(since, 0), moment_of(until, FOREVER_MS)

    async def work(desk: "Looking") -> None:
        opener = _Opener(desk)
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        lines = export(desk.database, account_id, opener, now_ms, from_ms=span[0], to_ms=span[1])
        await _print(lines, output, as_json=bool(flags.get("as_json")))

    _run(flags, work)


@command.command("restored")
@options
def tell_restored(**flags: Any) -> None:
    """After data was put back by hand: each trail records what it lost, and is anchored anew."""
    from talkwire.assembly.restored_trails import tell_restored as tell  # noqa: PLC0415

    ORIGIN.set("cli")
    ACTOR.set("operator")
    show(_done(lambda: tell(load_settings(flags))), as_json=bool(flags.get("as_json")))


@command.command("verify")
@click.argument("account_id", metavar="[ACCOUNT]", required=False)
@click.option(
    "--file", "file", metavar="FILE", help="An export, instead of a server's data: needs no data and no keys."
)
@options
def verify_trail(account_id: str | None, file: str | None, **flags: Any) -> None:
    """Find what is not as it was written: changed, removed, put in, reordered, cut. Exit code 1: something is."""
    if file is not None:
        reports = [_verify_file(file)]
    else:
        reports = _run(flags, lambda desk: _verify(desk, account_id))
    if flags.get("as_json"):
        show([_document(report) for report in reports], as_json=True)
    else:
        for report in reports:
            _tell(report)
    sys.exit(0 if all(report.is_whole for report in reports) else NOT_WHOLE)


async def _verify(desk: "Looking", account_id: str | None) -> list[Report]:
    if account_id is None:
        known = {*await store.list_accounts(desk.database), *await list_anchored(desk.keys)}
    else:
        known = {account_id}
    return [await _verify_one(desk, account_id) for account_id in sorted(known)]


async def _verify_one(desk: "Looking", account_id: str) -> Report:
    anchor = await find_anchor(desk.keys, account_id)
    found = await store.find_head(desk.database, account_id)
    key, is_foreign = None, False
    if found is not None:
        try:
            key = await desk.vault.unseal(account_id, CODE_PURPOSE, found[2])
        except Tampered:
            is_foreign = True
    report = await verify(desk.database, account_id, key, anchor)
    if is_foreign:
        report.find(report.head.number, "is named by a head whose key was not sealed by this server's keys")
    return report


def _verify_file(file: str) -> Report:
    try:
        with Path(file).open("rb") as lines:
            return verify_lines(lines)
    except OSError as error:
        raise BadRequest(f"{file}: {reason_of(error)}") from error
    except ValueError as error:
        raise BadRequest(f"{file}: {error}") from error


def _document(report: Report) -> dict[str, Any]:
    return {
        "accountId": report.account_id,
        "whole": report.is_whole,
        "records": report.records,
        "head": {"number": report.head.number, "hash": report.head.hash.hex()},
        "codeChecked": report.is_code_checked,
        "anchoredUpTo": report.anchored_up_to,
        "findings": [{"number": finding.number, "what": finding.what} for finding in report.findings],
    }


def _tell(report: Report) -> None:
    state = "whole" if report.is_whole else "NOT WHOLE"
    click.echo(
        f"{report.account_id}  {state}: {report.records} records, the last is {report.head.number},"
        f" hash {report.head.hash.hex()}; anchored up to {report.anchored_up_to}"
    )
    for finding in report.findings:
        click.echo(f"    record {finding.number} {finding.what}")


class _Opener:
    """Opens what is personal; what was altered opens for nobody, which verifying says better."""

    def __init__(self, desk: "Looking") -> None:
        self._desk = desk

    async def open(self, account_id: str, person: str, box: bytes) -> Opened | None:
        try:
            return await self._desk.boxes.open(account_id, person, box)
        except Tampered:
            return None


async def _print(lines: AsyncIterator[bytes], output: str | None, *, as_json: bool) -> None:
    with _target(output) as target:
        async for line in lines:
            if as_json:
                target.write(line + b"\n")
            elif text := _readable(line):
                target.write(text.encode() + b"\n")


@contextlib.contextmanager
def _target(output: str | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with open(output, "wb", opener=_privately) as file:
            yield file
    except OSError as error:
        raise BadRequest(f"{output}: {reason_of(error)}") from error


def _privately(path: str, flags: int) -> int:
    """Open for nobody else: what is personal lies open in an export."""
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)
    return descriptor


def _readable(line: bytes) -> str:
    """One record for people; nothing for the lines around them."""
    found = msgspec.json.decode(line)
    if found.get("line") != "record":
        return ""
    record = msgspec.convert(found, Line)
    personal = record.personal or {}
    is_shut = record.person and record.personal is None and not record.actor
    erased = "(erased)" if is_shut else ""
    consumer = personal.get("consumer_id", "")
    actor = record.actor or personal.get("actor", "") or erased or "-"
    address = record.address or personal.get("address", "") or erased or "-"
    detail = "" if record.detail == "{}" else restored(record.detail, consumer)
    parts = (
        record.number,
        record.time,
        record.act,
        actor,
        address,
        restored(record.subject, consumer),
        detail,
    )
    return "  ".join(str(part) for part in parts).rstrip()


def moment_of(text: str, otherwise: int) -> int:
    """Epoch milliseconds of a date or a moment, in UTC unless it says. Raises BadRequest."""
    if not text:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"{text!r} is no date: use 2024-01-31 or 2024-01-31T12:00:00") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _run(flags: dict[str, Any], work: Callable[["Looking"], Awaitable[Any]]) -> Any:
    async def look() -> Any:
        from talkwire.assembly.reading import looking  # noqa: PLC0415 -- the help should come fast

        async with looking(load_settings(flags)) as desk:
            return await work(desk)

    return _done(look)


def _done(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    try:
        return asyncio.run(work())
    except BadSettings as error:
        raise BadRequest(str(error)) from error
    except (Unavailable, MasterKeyWrong, DatabaseInUse) as error:
        raise CannotStart(str(error)) from error
