"""`talkwire backup`: data and keys, each into a folder of its own, while the server runs."""

import time
from pathlib import Path
from typing import Any

import click

from talkwire.backends.database.copying import CopyFailed
from talkwire.cli.configuration import BadSettings, load
from talkwire.cli.desk import show
from talkwire.cli.failures import BadRequest, CannotStart
from talkwire.ops.backup import BackedUp, CannotBackUp, back_up_data, back_up_keys, check_apart
from talkwire.settings import Settings


@click.command("backup")
@click.option(
    "--to", "target", metavar="DIR", type=click.Path(path_type=Path), help="New folder for the data."
)
@click.option(
    "--keys-to", metavar="DIR", type=click.Path(path_type=Path), help="New folder for the keys, elsewhere."
)
@click.option("--data", "data_folder", metavar="DIR", help="Data folder [data].")
@click.option("--keys", "keys_folder", metavar="DIR", help="Keys folder [beside the data folder].")
@click.option("--config", metavar="FILE", help="Settings in TOML.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    target: Path | None, keys_to: Path | None, config: str | None, as_json: bool, **flags: Any
) -> None:
    """Back up the data, and apart from it the keys, while the server runs.

    Whoever has both backups reads everything: keep them in two places. Older backups of the keys still hold
    what was erased since: keep one, the newest.
    """
    if target is None and keys_to is None:
        raise BadRequest("say where to: --to DIR for the data, --keys-to DIR for the keys")
    try:
        settings = load(config, flags=flags)
    except BadSettings as error:
        raise BadRequest(str(error)) from error
    try:
        show(_back_up(settings, target, keys_to), as_json=as_json)
    except (CannotBackUp, CopyFailed) as error:
        raise CannotStart(f"no backup was made: {error}") from error


def _back_up(settings: Settings, target: Path | None, keys_to: Path | None) -> dict[str, Any]:
    storage, now_ms = settings.storage, time.time_ns() // 1_000_000
    check_apart(storage.data_path, storage.keys_path, *(one for one in (target, keys_to) if one is not None))
    said: dict[str, Any] = {}
    if target is not None:
        said |= _said("data", target, back_up_data(storage.data_path, target, storage.database_url, now_ms))
    if keys_to is not None:
        said |= _said("keys", keys_to, back_up_keys(storage.keys_path, keys_to, storage.keys_url, now_ms))
    return said


def _said(what: str, target: Path, done: BackedUp) -> dict[str, Any]:
    return {what: str(target), f"{what}Files": done.files, f"{what}Bytes": done.bytes}
