"""What is in a backup: every file with its size and hash."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

NAME = "manifest.json"
FORMAT = "talkwire-backup/1"


class Listed(msgspec.Struct, frozen=True):
    """A file of a backup, by its path below the backup's folder."""

    path: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`holds` is `data` or `keys`; `database` is `sqlite` or `postgresql`."""

    format: str = FORMAT
    holds: str
    database: str
    version: str
    made_at_ms: int
    files: tuple[Listed, ...]


class ManifestBroken(Exception):
    """The folder is no backup, or not the one that was made. The message names the file."""


def list_files(folder: Path) -> tuple[Listed, ...]:
    """Everything below a folder except its manifest, read and hashed."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return tuple(Listed(str(path.relative_to(folder)), path.stat().st_size, hash_of(path)) for path in paths)


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path, manifest: Manifest) -> None:
    """Last of all: a folder without it is a backup that was not finished."""
    with (folder / NAME).open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path, holds: str) -> Manifest:
    """Raises ManifestBroken."""
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise ManifestBroken(f"{folder} is no finished backup: it has no {NAME} that can be read") from error
    if manifest.format != FORMAT or manifest.holds != holds:
        raise ManifestBroken(f"{folder} holds {manifest.holds} ({manifest.format}), not {holds} ({FORMAT})")
    return manifest


def differences(folder: Path, manifest: Manifest) -> Iterator[str]:
    """What is not as the manifest says, in words."""
    listed = {one.path: one for one in manifest.files}
    there = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    there.pop(NAME, None)
    for path in sorted(listed.keys() - there.keys()):
        yield f"{path} is missing"
    for path in sorted(there.keys() - listed.keys()):
        yield f"{path} was not in the backup"
    for path in sorted(listed.keys() & there.keys()):
        if there[path].stat().st_size != listed[path].bytes or hash_of(there[path]) != listed[path].sha256:
            yield f"{path} was changed"
