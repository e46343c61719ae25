"""Putting a backup back: whole, into an empty place, and only as it was made."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from talkwire.backends.database.copying import is_sound, load_postgres, objects_in
from talkwire.ops import manifest
from talkwire.ops.backup import DATABASE, DUMP, OBJECTS
from talkwire.ops.manifest import Manifest

_OURS = ".restoring"
"""Marks a folder that may be thrown away."""


class CannotRestore(Exception):
    """The message is for the operator."""


def check_backup(source: Path, holds: str) -> Manifest:
    """Read every file of a backup and compare it with its manifest. Raises ManifestBroken, CannotRestore."""
    found = manifest.read(source, holds)
    wrong = list(manifest.differences(source, found))
    if wrong:
        raise CannotRestore(
            f"{source}: {wrong[0]}" + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else "")
        )
    return found


def put_back(source: Path, target: Path, found: Manifest) -> None:
    """Copy a checked backup aside, then rename: a folder is there whole or not at all. Raises CannotRestore."""
    check_empty(target)
    target = target.resolve()
    aside = target.with_name(f"{target.name}.restoring")
    if aside.exists() and not (aside / _OURS).exists():
        raise CannotRestore(f"{aside} is in the way, and is not of a restore that was broken off")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(mode=0o700, parents=True)
        (aside / _OURS).touch()
        for one in found.files:
            if one.path == DUMP:
                continue
            place = aside / one.path
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy2(source / one.path, place)
        os.sync()  # whole on disk before it has its name
        if target.exists():
            target.rmdir()
        aside.rename(target)
        (target / _OURS).unlink()
        os.sync()
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise CannotRestore(f"{target} cannot be written: {os.strerror(error.errno or 0).lower()}") from error


def put_back_database(source: Path, found: Manifest, url: str, setting: str) -> None:
    """Load a dump into the PostgreSQL database that a setting names. Raises CannotRestore, CopyFailed."""
    if (found.database == "postgresql") != bool(url):
        raise CannotRestore(
            f"{source} is of PostgreSQL: set {setting} to an empty database"
            if found.database == "postgresql"
            else f"{source} is of SQLite, and {setting} names a PostgreSQL database"
        )
    if url:
        load_postgres(source / DUMP, url)


def check_empty(target: Path) -> None:
    """Raises CannotRestore: what is there is never overwritten."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CannotRestore(f"{target} is not empty: restore into a new place, then move it")


def unfit(data: Path) -> Iterator[str]:
    """What is wrong with a restored data folder of SQLite: its database, rows without object and the reverse."""
    if not is_sound(data / DATABASE):
        yield f"{DATABASE} is damaged"
        return
    wanted = set(objects_in(data / DATABASE))
    held = {path.name for path in (data / OBJECTS).glob("??/*")}
    for key in sorted(wanted - held):
        yield f"object {key} is missing"
    for key in sorted(held - wanted):
        yield f"object {key} belongs to no file"
