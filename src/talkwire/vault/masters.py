"""Where master keys come from: a private file, or secrets handed in by the operator."""

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from talkwire.vault.errors import MasterKeyWrong, NothingToRotate
from talkwire.vault.wrapping import KEY_BYTES, fingerprint, new_key

FILE_NAME = "master.key"
NEXT_FILE_NAME = "master.next.key"


class Masters(Protocol):
    """The master keys that this node knows, by id. One of them is in force; the key store says which."""

    def known(self) -> Mapping[str, bytes]:
        """All of them; blocks shortly."""
        ...

    def first(self) -> str:
        """The id of the key to begin a new key store with; made if need be."""
        ...

    def following(self, in_force: str) -> str:
        """The id of the key to rotate to, safe on disk if it is ours to keep. Raises NothingToRotate."""
        ...

    def settle(self, in_force: str) -> None:
        """Destroy the keys beside the one in force, as far as they are ours to keep."""
        ...


class MasterSecrets:
    """Master keys from settings: the one to use, and while it is being changed the former one."""

    def __init__(self, master_key: str, former: str = "") -> None:
        self._secrets = [parse_master(text) for text in (master_key, former) if text]

    def known(self) -> Mapping[str, bytes]:
        return {fingerprint(secret): secret for secret in self._secrets}

    def first(self) -> str:
        return fingerprint(self._secrets[0])

    def following(self, in_force: str) -> str:
        new = self.first()
        if new == in_force:
            raise NothingToRotate(
                "The master key comes from a setting: give every node the new key as master_key and the "
                "present one as master_key_former, restart them, then rotate."
            )
        return new

    def settle(self, in_force: str) -> None:
        """The operator keeps these keys, and takes the former one out of the settings."""


class MasterFile:
    """The master key of a single node: `master.key` in the keys folder, mode 0600, made on first start.

    A rotation writes `master.next.key`, changes the key store in one commit, and renames. Whenever it is
    broken off, one of the two files is the key in force.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._remembered: dict[str, bytes] = {}  # also keys whose file is gone: reads under way may need them

    def known(self) -> Mapping[str, bytes]:
        for name in (FILE_NAME, NEXT_FILE_NAME):
            secret = _read(self._folder / name)
            if secret is not None:
                self._remembered[fingerprint(secret)] = secret
        return self._remembered

    def first(self) -> str:
        path = self._folder / FILE_NAME
        secret = _read(path)
        if secret is None:
            secret = new_key()
            _write(path, secret)
        self._remembered[fingerprint(secret)] = secret
        return fingerprint(secret)

    def following(self, in_force: str) -> str:
        path = self._folder / NEXT_FILE_NAME
        if path.exists():
            raise NothingToRotate(
                f"{path} is there and is no key in force: a rotation went wrong, look first."
            )
        secret = new_key()
        _write(path, secret)
        self._remembered[fingerprint(secret)] = secret
        return fingerprint(secret)

    def settle(self, in_force: str) -> None:
        path, next_path = self._folder / FILE_NAME, self._folder / NEXT_FILE_NAME
        following = _read(next_path)
        if following is None:
            return
        if fingerprint(following) == in_force:
            _replace(next_path, path)
        elif (present := _read(path)) is not None and fingerprint(present) == in_force:
            _overwrite(next_path)
            next_path.unlink()
            _sync_folder(self._folder)


def parse_master(text: str) -> bytes:
    """A master key as 64 hex digits. Raises MasterKeyWrong."""
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise MasterKeyWrong("a master key is 64 hex digits, as `openssl rand -hex 32` prints them")
    return secret


def check_private(path: Path) -> None:
    """Raises MasterKeyWrong when others than the owner may look at what lies there."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        wanted = "700" if path.is_dir() else "600"
        raise MasterKeyWrong(f"{path} can be read by others (mode {mode:o}): chmod {wanted} {path}")


def make_private(folder: Path) -> None:
    """Have a keys folder of our own: a new or empty one becomes 0700; one in use that was opened up is refused.

    Raises MasterKeyWrong, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        check_private(folder)
    else:
        folder.chmod(0o700)


def _read(path: Path) -> bytes | None:
    if not path.exists():
        return None
    check_private(path)
    try:
        return parse_master(path.read_text(encoding="ascii"))
    except UnicodeDecodeError:
        raise MasterKeyWrong(f"{path} is not a master key") from None
    except MasterKeyWrong as error:
        raise MasterKeyWrong(f"{path} is not a master key: {error}") from None


def _write(path: Path, secret: bytes) -> None:
    """Aside, synced, then renamed."""
    aside = path.with_name(path.name + ".aside")
    with contextlib.suppress(FileNotFoundError):
        aside.unlink()
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    _sync_folder(path.parent)


def _replace(new: Path, old: Path) -> None:
    """Rename over the old key, then overwrite its bytes, which have no name any more."""
    if not old.exists():
        new.rename(old)
        _sync_folder(old.parent)
        return
    with old.open("r+b") as nameless:
        new.rename(old)
        _sync_folder(old.parent)
        nameless.write(b"0" * (2 * KEY_BYTES))
        nameless.flush()
        os.fsync(nameless.fileno())


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"0" * (2 * KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
