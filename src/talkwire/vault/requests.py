"""Rotations asked of a running server: a file in the keys folder, which only the server's user can write.

Who could write it could also read the keys, so it needs no other permission. The server does what stands
there and takes the file away; broken off in between, it does it again, which is harmless.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import structlog

from talkwire.kernel.errors import Conflict
from talkwire.kernel.jobs import Job
from talkwire.vault.service import Vault

FILE_NAME = "rotate.request"
MASTER = "*"
"""In place of an account: the master key."""
LOOK_EVERY = timedelta(seconds=2)

Told = Callable[[str, str], Awaitable[None]]
"""Told of each rotation that was done: an account whose keys lie under the new one, and what was rotated."""

log = structlog.get_logger()


def ask(folder: Path, whose: str) -> None:
    """Ask the server that has this keys folder to rotate a key."""
    asked = [*_read(folder), whose]
    aside = folder / (FILE_NAME + ".aside")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("".join(f"{one}\n" for one in dict.fromkeys(asked)))
        file.flush()
        os.fsync(file.fileno())
    aside.rename(folder / FILE_NAME)


def _read(folder: Path) -> list[str]:
    try:
        return (folder / FILE_NAME).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


async def rotate(vault: Vault, whose: str, told: Told) -> None:
    """Rotate an account's key, or the one of MASTER, and tell of it. Raises NothingToRotate, Conflict."""
    if whose == MASTER:
        master_id = await vault.rotate_master()
        for account_id in await vault.list_accounts():
            await told(account_id, f"master key {master_id}")
    else:
        await vault.rotate_account(whose)
        await told(whose, "account key")


class AskedRotations:
    """Does what was asked through the file."""

    def __init__(self, vault: Vault, folder: Path, told: Told) -> None:
        self._vault = vault
        self._folder = folder
        self.told = told

    def jobs(self) -> list[Job]:
        return [Job("vault.rotate", run=self.look, every=LOOK_EVERY, timeout=timedelta(hours=1))]

    async def look(self) -> None:
        """Do what is asked, if anything is."""
        asked = await asyncio.to_thread(_read, self._folder)
        for whose in asked:
            await self._rotate(whose)
        if asked:
            await asyncio.to_thread(self._answered, asked)

    async def _rotate(self, whose: str) -> None:
        try:
            await rotate(self._vault, whose, self.told)
        except Conflict as refusal:
            log.warning("a key was not rotated", whose=whose, reason=str(refusal))
        else:
            log.info("a key was rotated", whose=whose)

    def _answered(self, asked: list[str]) -> None:
        """Take away what was done; what was asked meanwhile stays."""
        left = [one for one in _read(self._folder) if one not in asked]
        (self._folder / FILE_NAME).unlink()
        for one in left:
            ask(self._folder, one)
