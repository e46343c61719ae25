"""`talkwire audit`: the trail of what was done, read and verified, also while a server runs."""

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from talkwire.audit import store
from talkwire.audit.anchors import find_anchor, list_anchored
from talkwire.audit.export import FOREVER_MS, Line, export, moment, verify_lines
from talkwire.audit.model import Opened
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.audit.rules import restored
from talkwire.audit.sealing import CODE_PURPOSE
from talkwire.audit.signing import published_key, signing_key
from talkwire.audit.verification import Report, verify
from talkwire.backends.database.port import DatabaseInUse
from talkwire.cli.configuration import BadSettings
from talkwire.cli.desk import load_settings, options, show
from talkwire.cli.failures import BadRequest, CannotStart, reason_of
from talkwire.history.receipts import ReceiptBroken, keys_in
from talkwire.kernel.errors import Unavailable
from talkwire.vault.errors import MasterKeyWrong, Tampered

if TYPE_CHECKING:
    from talkwire.assembly.reading import Looking

NOT_WHOLE = 1
"""Exit code of a verification that found something, or of a file that no known key signed."""

NO_KEY_GIVEN = 3
"""Of a file that is whole, when by whom it was signed is not known. 2 is what made no sense, as ever."""


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
    """Every record, oldest first; with `--json` as signed lines that `audit verify --file` takes, anywhere."""
    span = moment_of(since, 0), moment_of(until, FOREVER_MS)

    async def work(desk: "Looking") -> None:
        opener = _Opener(desk)
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        as_json = bool(flags.get("as_json"))
        code_key, _ = await _code_key(desk, account_id)
        if code_key is None and as_json:
            click.echo("the export is not signed: no key of the account's trail opens", err=True)
        key = signing_key(code_key) if code_key else None
        lines = export(desk.database, account_id, opener, now_ms, from_ms=span[0], to_ms=span[1], key=key)
        await _print(lines, output, opener, as_json=as_json)
        if opener.unread:
            click.echo(
                f"{len(opener.unread)} persons cannot be told though nobody erased them: the data was altered;"
                f" see `talkwire audit verify {account_id}`",
                err=True,
            )

    _run(flags, work)


@command.command("keys")
@click.argument("account_id", metavar="ACCOUNT")
@options
def keys(account_id: str, **flags: Any) -> None:
    """The public key that exports are verified with; keep it where the server cannot change it."""
    show({"keys": _run(flags, lambda desk: _published(desk, account_id))}, as_json=True)


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
@click.option(
    "--key", "key_file", metavar="FILE", help="With --file: trust what `talkwire audit keys` wrote there."
)
@click.option("--here", is_flag=True, help="With --file: trust this installation's key (--data, --keys).")
@options
def verify_trail(
    account_id: str | None, file: str | None, key_file: str | None, *, here: bool, **flags: Any
) -> None:
    """Find what is not as it was written: changed, removed, put in, reordered, cut.

    Exit code 1: something is. An export (--file) is verified only by a key that is known: 0 says that it is byte for
    byte as it was signed with one of those; 1 that something was changed, or that none of those signed it; 3 that it is
    whole, but no key was given to know it by: anybody can write such a file.
    """
    as_json = bool(flags.get("as_json"))
    if file is not None:
        sys.exit(_verify_file(file, key_file, flags, here=here, as_json=as_json))
    if key_file or here:
        raise BadRequest("--key and --here say whose export it is: they need --file")
    reports = _run(flags, lambda desk: _verify(desk, account_id))
    if as_json:
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
    key, is_foreign = await _code_key(desk, account_id)
    report = await verify(desk.database, account_id, key, anchor, desk.vault)
    if is_foreign:
        report.find(report.head.number, "is named by a head whose key was not sealed by this server's keys")
    return report


async def _code_key(desk: "Looking", account_id: str) -> tuple[bytes | None, bool]:
    """The key of the code of an account's head, and whether there is one that was not sealed here."""
    found = await store.find_head(desk.database, account_id)
    if found is None:
        return None, False
    try:
        return await desk.vault.unseal(account_id, CODE_PURPOSE, found[2]), False
    except Tampered:
        return None, True


async def _published(desk: "Looking", account_id: str) -> list[dict[str, str]]:
    code_key, _ = await _code_key(desk, account_id)
    return [published_key(signing_key(code_key))] if code_key else []


def _verify_file(file: str, key_file: str | None, flags: dict[str, Any], *, here: bool, as_json: bool) -> int:
    """The exit code."""
    report = _read_file(file)
    is_asked = bool(key_file) or here
    known = _keys_in(key_file) if key_file else []
    if here:
        known += [one["publicKey"] for one in _run(flags, lambda desk: _published(desk, report.account_id))]
    is_known = bool(report.signed_by) and report.signed_by in known
    if as_json:
        show([_document_of_file(report, is_known=is_known)], as_json=True)
    else:
        _tell_of_file(report, is_known=is_known, is_asked=is_asked)
    if report.is_whole and is_known:
        return 0
    return NO_KEY_GIVEN if report.is_whole and not is_asked else NOT_WHOLE


def _read_file(file: str) -> Report:
    try:
        with Path(file).open("rb") as lines:
            return verify_lines(lines)
    except OSError as error:
        raise BadRequest(f"{file}: {reason_of(error)}") from error
    except ValueError as error:
        raise BadRequest(f"{file}: {error}") from error


def _keys_in(file: str) -> list[str]:
    try:
        return keys_in(Path(file).read_bytes())
    except OSError as error:
        raise BadRequest(f"{file}: {reason_of(error)}") from error
    except ReceiptBroken as error:
        raise BadRequest(f"{file}: {error}") from error


def _document(report: Report) -> dict[str, Any]:
    return {
        "accountId": report.account_id,
        "whole": report.is_whole,
        "records": report.records,
        "head": {"number": report.head.number, "hash": report.head.hash.hex()},
        "codeChecked": report.is_code_checked,
        "personsChecked": report.are_persons_checked,
        "anchoredUpTo": report.anchored_up_to,
        "findings": [{"number": finding.number, "what": finding.what} for finding in report.findings],
    }


def _tell(report: Report) -> None:
    state = "whole" if report.is_whole else "NOT WHOLE"
    click.echo(
        f"{report.account_id}  {state}: {report.records} records, the last is {report.head.number},"
        f" hash {report.head.hash.hex()}; anchored up to {report.anchored_up_to}"
    )
    _tell_findings(report)


def _tell_findings(report: Report) -> None:
    for finding in report.findings:
        click.echo(f"    record {finding.number} {finding.what}")


def _document_of_file(report: Report, *, is_known: bool) -> dict[str, Any]:
    return {
        **_document(report),
        "verified": report.is_whole and is_known,
        "signedBy": report.signed_by or None,
        "keyIsKnown": is_known,
        "exportedAt": report.exported_at_ms,
    }


def _tell_of_file(report: Report, *, is_known: bool, is_asked: bool) -> None:
    state = "VERIFIED" if report.is_whole and is_known else "NOT VERIFIED"
    is_told = "whole" if report.is_whole else "NOT WHOLE"
    click.echo(
        f"{report.account_id}  {state}: {is_told}, {report.records} records, the last is {report.head.number},"
        f" hash {report.head.hash.hex()}"
    )
    _tell_findings(report)
    if report.is_whole:
        click.echo(f"    {_signed_how(report, is_known=is_known, is_asked=is_asked)}")


def _signed_how(report: Report, *, is_known: bool, is_asked: bool) -> str:
    if not report.signed_by:
        return (
            f"it is not signed: when it was exported, and who and from where in {report.opened} records, is covered"
            " by nothing; export it again"
        )
    key = f"signed with the key {report.signed_by}"
    if is_known:
        return f"exported at {moment(report.exported_at_ms)}, {key}, which is known"
    if is_asked:
        return f"{key}, which is not one of those known"
    return f"{key}; anybody can sign: whose key it is, says only one you trust: --key FILE or --here"


class _Opener:
    """Opens what is personal; what was altered opens for nobody, which verifying says better.

    `unread`: persons whose key lives, and whose boxes do not open all the same: they were not erased.
    """

    def __init__(self, desk: "Looking") -> None:
        self.unread: set[str] = set()
        self._desk = desk
        self._erased: set[tuple[str, str]] = set()  # persons, each with a key that is no more

    async def open(self, account_id: str, person: str, box: bytes) -> Opened | None:
        try:
            opened = await self._desk.boxes.open(account_id, person, box)
        except Tampered:
            opened = None
        if opened is None and not await self._is_erased(account_id, person, box):
            self.unread.add(person)
        return opened

    async def _is_erased(self, account_id: str, person: str, box: bytes) -> bool:
        key_id = self._desk.vault.key_id_of(box)
        if (person, key_id) not in self._erased:
            if await self._desk.vault.list_owners(account_id, [key_id]):
                return False
            self._erased.add((person, key_id))
        return True


async def _print(lines: AsyncIterator[bytes], output: str | None, opener: _Opener, *, as_json: bool) -> None:
    with _target(output) as target:
        async for line in lines:
            if as_json:
                target.write(line + b"\n")
            elif text := _readable(line, opener.unread):
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


def _readable(line: bytes, unread: Collection[str]) -> str:
    """One record for people; nothing for the lines around them."""
    found = msgspec.json.decode(line)
    if found.get("line") != "record":
        return ""
    record = msgspec.convert(found, Line)
    personal = record.personal or {}
    is_shut = record.person and record.personal is None and not record.actor
    why_not = "(not told)" if record.person in unread else "(erased)"
    shut = why_not if is_shut else ""
    consumer = personal.get("consumer_id", "")
    actor = record.actor or personal.get("actor", "") or shut or "-"
    address = record.address or personal.get("address", "") or shut or "-"
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
