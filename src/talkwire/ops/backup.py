"""Backups while the server runs: the database as of one moment with every object it speaks of; keys apart.

Objects are written once and never changed, so they are hard-linked where that is possible. They are gathered
before the database is copied (what goes meanwhile is kept) and after it (what came meanwhile is there).
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from talkwire.backends.database.copying import copy_sqlite, dump_postgres, objects_in
from talkwire.ops import manifest
from talkwire.ops.manifest import Manifest

DATABASE = "talkwire.db"
DUMP = "talkwire.dump"
OBJECTS = Path("files") / "objects"
TRIES = 3

_NOT_COPIED = {"server.lock", "demo.env", "server.log", "rotate.request"}
_LIVE_SUFFIXES = (".lock", "-wal", "-shm", "-journal", ".aside")


class CannotBackUp(Exception):
    """The message is for the operator."""


@dataclass(frozen=True)
class BackedUp:
    """What a backup holds."""

    files: int
    bytes: int


def back_up_data(data: Path, target: Path, database_url: str, now_ms: int) -> BackedUp:
    """Copy database, objects and whatever else lies in the data folder. Raises CannotBackUp, CopyFailed."""
    check_target(target, data)
    with _refusing(target):
        _copy_plain(data, target)
        if database_url:
            _link_objects(data, target)
            dump_postgres(database_url, target / DUMP)
            _link_objects(data, target)
        else:
            _copy_with_objects(data, target)
        return _finish(target, "data", "postgresql" if database_url else "sqlite", now_ms)


def back_up_keys(keys: Path, target: Path, keys_url: str, now_ms: int) -> BackedUp:
    """Copy the key store, and the master key if it is a file. Whoever has both backups reads everything.

    Raises CannotBackUp, CopyFailed.
    """
    check_target(target, keys)
    with _refusing(target):
        for _ in range(TRIES):
            _copy_plain(keys, target)
            for path in sorted(keys.glob("*.db")):
                (target / path.name).unlink(missing_ok=True)
                copy_sqlite(path, target / path.name)
            if _masters_of(keys) == _masters_of(target):
                break
            for name in _masters_of(target):
                (target / name).unlink()
        else:
            raise CannotBackUp("the master key is being rotated; try again")
        if keys_url:
            dump_postgres(keys_url, target / DUMP)
        return _finish(target, "keys", "postgresql" if keys_url else "sqlite", now_ms)


def _masters_of(folder: Path) -> dict[str, bytes]:
    """Rotated while the key store was copied, the master key in the backup would not open it."""
    return {path.name: path.read_bytes() for path in folder.glob("*.key")}


@contextmanager
def _refusing(target: Path) -> Iterator[None]:
    """A full disk or a folder that cannot be read ends a backup in one line; without a manifest it is none."""
    try:
        yield
    except OSError as error:
        where = f"{error.filename or target}"
        raise CannotBackUp(f"{where}: {os.strerror(error.errno or 0).lower()}") from error


def check_apart(*folders: Path) -> None:
    """None of them inside another: keys never lie in a data backup. Raises CannotBackUp."""
    resolved = [folder.resolve() for folder in folders]
    for one in resolved:
        for other in resolved:
            if one is not other and one.is_relative_to(other):
                raise CannotBackUp(f"{one} and {other} must lie apart: keys never in a data backup")


def check_target(target: Path, source: Path) -> None:
    """Have an empty private folder. Raises CannotBackUp."""
    if not source.is_dir():
        raise CannotBackUp(f"{source} is not there")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CannotBackUp(f"{target} is not empty; a backup goes into a folder of its own")
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.chmod(0o700)
    except OSError as error:
        raise CannotBackUp(f"{target} cannot be made: {os.strerror(error.errno or 0).lower()}") from error


def _copy_plain(source: Path, target: Path) -> None:
    """Everything but databases, objects and what belongs to the running process."""
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if relative.parts[0] == "files" or not path.is_file() or path.is_symlink() or _is_live(path):
            continue
        (target / relative).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # gone since we looked
            shutil.copy2(path, target / relative)


def _is_live(path: Path) -> bool:
    return path.name in _NOT_COPIED or path.name.endswith(_LIVE_SUFFIXES) or path.suffix == ".db"


def _copy_with_objects(data: Path, target: Path) -> None:
    """A row whose object went between two looks (expired, erased) is not in the next copy of the database."""
    missing: set[str] = set()
    for _ in range(TRIES):
        _link_objects(data, target)
        (target / DATABASE).unlink(missing_ok=True)
        copy_sqlite(data / DATABASE, target / DATABASE)
        _link_objects(data, target)
        wanted = set(objects_in(target / DATABASE))
        held = {path.name: path for path in _objects_of(target)}
        missing = wanted - held.keys()
        if not missing:
            for key in held.keys() - wanted:  # still arriving, or just erased
                held[key].unlink()
            return
    raise CannotBackUp(f"{len(missing)} files have no object, first {min(missing)}: see `talkwire doctor`")


def _link_objects(data: Path, target: Path) -> None:
    for path in _objects_of(data):
        place = target / OBJECTS / path.parent.name / path.name
        if place.exists() and place.stat().st_size == _size_of(path):
            continue
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except FileNotFoundError:
            continue  # erased since we looked
        except OSError:  # another disk, or what was still arriving when it was copied
            _copy_object(path, place)


def _size_of(path: Path) -> int:
    """-1 once it was erased."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _copy_object(path: Path, place: Path) -> None:
    """The bytes themselves."""
    aside = place.with_suffix(".part")
    try:
        shutil.copyfile(path, aside)
    except FileNotFoundError:
        aside.unlink(missing_ok=True)
        return
    aside.chmod(0o600)
    aside.rename(place)


def _objects_of(folder: Path) -> Iterator[Path]:
    for shard in sorted((folder / OBJECTS).glob("??")):
        yield from sorted(shard.iterdir())


def _finish(target: Path, holds: str, database: str, now_ms: int) -> BackedUp:
    files = manifest.list_files(target)
    os.sync()  # what the manifest speaks of is on disk before it
    manifest.write(
        target,
        Manifest(holds=holds, database=database, version=version("talkwire"), made_at_ms=now_ms, files=files),
    )
    return BackedUp(len(files), sum(one.bytes for one in files))
