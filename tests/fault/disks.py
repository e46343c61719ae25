"""Disks that are small, full, or gone read-only: real file systems, mounted for one test.

Mounting takes root and a kernel that lets us; where it does not, the test is skipped by name.
"""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CHUNK = b"\xff" * 65_536


def run(*command: str | Path) -> bool:
    return subprocess.run(list(map(str, command)), check=False, capture_output=True).returncode == 0


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A file system of its own at `folder`, with so much room."""
    folder.mkdir()
    if not run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", folder):
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield folder
    finally:
        run("umount", "--lazy", folder)


def fill(folder: Path) -> Path:
    """Take all the room that is left; remove the file to give it back."""
    filler = folder / "filler"
    descriptor = os.open(filler, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for chunk in (CHUNK, b"\xff" * 512, b"\xff"):
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, chunk)
    finally:
        os.close(descriptor)
    return filler


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be made or changed under `folder` by name; what is open already goes on."""
    mounted = run("mount", "--bind", folder, folder) and run("mount", "-o", "remount,bind,ro", folder)
    try:
        if not mounted or not _is_read_only(folder):
            pytest.skip("mounting a folder read-only is not allowed here")
        yield
    finally:
        run("umount", "--lazy", folder)


def _is_read_only(folder: Path) -> bool:
    try:
        (folder / "probe").touch()
    except OSError as error:
        return error.errno == errno.EROFS
    return False


@dataclass(frozen=True)
class FragileDisk:
    """An ext4 in a file, which does what a failing disk makes of it: goes read-only under open files."""

    image: Path
    folder: Path

    def mount(self) -> None:
        if not run("mount", "-o", "loop,errors=remount-ro", self.image, self.folder):
            pytest.skip("mounting a file system from a file is not allowed here")

    def fail(self) -> None:
        """From now on every write is refused with EROFS."""
        device = subprocess.run(
            ["findmnt", "-no", "SOURCE", str(self.folder)], check=True, capture_output=True, text=True
        ).stdout.strip()
        trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
        try:
            trigger.write_text("made by a test")
        except OSError as error:
            pytest.skip(f"this kernel lets no file system fail on request: {error}")
        assert _is_read_only(self.folder)

    def mend(self) -> None:
        """What an operator does: unmount, check, mount again. Nobody may have files open."""
        assert run("umount", self.folder)
        subprocess.run(["fsck.ext4", "-fy", str(self.image)], check=False, capture_output=True)
        self.mount()


@contextmanager
def fragile_disk(folder: Path, mebibytes: int = 128) -> Iterator[FragileDisk]:
    """A disk at `folder` that can be made to fail."""
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("there is no mkfs.ext4 (Debian: e2fsprogs)")
    folder.mkdir()
    disk = FragileDisk(folder.with_suffix(".img"), folder)
    with disk.image.open("wb") as image:
        image.truncate(mebibytes * 1024 * 1024)
    assert run("mkfs.ext4", "-q", "-F", disk.image)
    disk.mount()
    try:
        yield disk
    finally:
        run("umount", "--lazy", folder)
        disk.image.unlink()
