"""`talkwire restore`: a backup put back into an empty place, and checked."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.backends.database.copying import CopyFailed
from talkwire.cli.configuration import BadSettings, load
from talkwire.cli.desk import log_aside, show
from talkwire.cli.failures import BadRequest, CannotStart
from talkwire.ops.backup import CannotBackUp, check_apart
from talkwire.ops.manifest import ManifestBroken
from talkwire.ops.restore import (
    CannotRestore,
    check_backup,
    check_empty,
    put_back,
    put_back_database,
    unfit,
)
from talkwire.settings import Settings
from talkwire.vault.errors import MasterKeyWrong

MOST_TOLD = 20


@click.command("restore")
@click.option(
    "--from",
    "source",
    metavar="DIR",
    type=click.Path(path_type=Path),
    required=True,
    help="The data's backup.",
)
@click.option(
    "--keys-from",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The keys' backup. Left out: the keys folder that is there, which is right after an erasure.",
)
@click.option("--verify", is_flag=True, help="Open every file, and walk every audit trail, afterwards.")
@click.option("--data", "data_folder", metavar="DIR", help="New data folder [data].")
@click.option("--keys", "keys_folder", metavar="DIR", help="Keys folder [beside the data folder].")
@click.option("--config", metavar="FILE", help="Settings in TOML.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    source: Path, keys_from: Path | None, verify: bool, config: str | None, as_json: bool, **flags: Any
) -> None:
    """Put a backup back, into an empty place.

    What was erased since the backup was made is erased again at the next start, from the ledger that lies with
    the keys: so restore the data with today's keys, and the keys' backup only when they are lost.
    """
    log_aside()
    try:
        settings = load(config, flags=flags)
    except BadSettings as error:
        raise BadRequest(str(error)) from error
    try:
        said = _restore(settings, source, keys_from)
        looked = _verify(settings) if verify else {}
    except (CannotRestore, CannotBackUp, ManifestBroken, CopyFailed) as error:
        raise CannotStart(f"not restored: {error}") from error
    show({**said, "verified": verify, **looked}, as_json=as_json)


def _restore(settings: Settings, source: Path, keys_from: Path | None) -> dict[str, Any]:
    """Everything is checked before anything is written."""
    storage = settings.storage
    check_apart(storage.data_path, storage.keys_path, source)
    data = check_backup(source, "data")
    check_empty(storage.data_path)
    if keys_from is not None:
        keys = check_backup(keys_from, "keys")
        check_empty(storage.keys_path)
        put_back_database(keys_from, keys, storage.keys_url, "keys_url")
        put_back(keys_from, storage.keys_path, keys)
    put_back_database(source, data, storage.database_url, "database_url")
    put_back(source, storage.data_path, data)
    return {
        "data": str(storage.data_path),
        "keys": str(storage.keys_path),
        "files": len(data.files),
        "audit": _tell_audit(settings),
    }


def _tell_audit(settings: Settings) -> int:
    """How many audit trails were longer when they were last anchored: each says so itself from now on."""
    from talkwire.assembly.restored_trails import tell_restored  # noqa: PLC0415 -- the help should come fast

    ORIGIN.set("cli")
    ACTOR.set("operator")
    try:
        return len(asyncio.run(tell_restored(settings)))
    except MasterKeyWrong as error:
        raise CannotRestore(f"the keys do not fit the data: {error}") from error


def _verify(settings: Settings) -> dict[str, Any]:
    """How many files nobody can open any more. Raises CannotStart when something is wrong."""
    from talkwire.assembly.restored import look_through  # noqa: PLC0415 -- the help should come fast

    if not settings.storage.database_url and (problems := list(unfit(settings.storage.data_path))):
        raise _wrong(problems)
    looked = asyncio.run(look_through(settings))
    if looked.wrong:
        raise _wrong(looked.wrong)
    return {"filesWithoutKey": looked.without_key}


def _wrong(problems: Sequence[str]) -> CannotStart:
    told = "\n  ".join(problems[:MOST_TOLD])
    return CannotStart(f"restored, and {len(problems)} things are wrong:\n  {told}")
