"""Rotations and who asks for them: at the desk, or of a running server through a file in the keys folder.

Only the server's user can write that file. Who could could also read the keys, so it needs no other permission,
and who asks is believed. The server does what stands there and takes the file away; broken off in between, it
does it again, which is harmless.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

import msgspec
import structlog

from talkwire.audit.acts import Acts
from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.kernel.errors import Conflict
from talkwire.kernel.jobs import Job
from talkwire.vault.errors import NothingToRotate
from talkwire.vault.service import Vault

FILE_NAME = "rotate.request"
LOOK_EVERY = timedelta(seconds=2)

log = structlog.get_logger()


class Key(StrEnum):
    """What can be rotated. The values stand in the trail."""

    MASTER = "master key"
    ACCOUNT = "account key"
    URLS = "temporary URL key"


class Request(msgspec.Struct, frozen=True):
    """A key, whose it is (the master key: nobody's), and who asks from where."""

    key: Key
    account_id: str = ""
    actor: str = ""
    address: str = ""


RotateUrls = Callable[[str], Awaitable[None]]
"""Gives an account a new key for temporary URLs, and records it in the same commit."""


class Rotations:
    """Rotates keys. The key store has commits of its own, so that it begins is on record before it does."""

    def __init__(self, vault: Vault, rotate_urls: RotateUrls, acts: Acts) -> None:
        self._vault = vault
        self._rotate_urls = rotate_urls
        self._acts = acts

    async def rotate(self, request: Request) -> None:
        """Raises NothingToRotate, Conflict, Unavailable."""
        accounts = await self._vault.list_accounts()
        if request.key is not Key.MASTER and request.account_id not in accounts:
            raise NothingToRotate(f"Account {request.account_id} has no keys.")
        if request.key is Key.URLS:
            await self._rotate_urls(request.account_id)
        elif request.key is Key.ACCOUNT:
            await self._recorded(
                [request.account_id], request.key, partial(self._account, request.account_id)
            )
        else:
            await self._recorded(accounts, request.key, self._vault.rotate_master)

    async def tell_ended(self) -> None:
        """Record the rotations that were broken off and that the start ended."""
        for account_id in self._vault.ended:
            detail = {"ended": "at a start"}
            await self._acts.record(
                Entry(account_id, Act.KEY_ROTATED, Key.ACCOUNT, actor="server", detail=detail)
            )

    async def _account(self, account_id: str) -> str:
        await self._vault.rotate_account(account_id)
        return ""

    async def _recorded(self, accounts: Sequence[str], key: Key, work: Callable[[], Awaitable[str]]) -> None:
        """`work` gives what the new key is called, if it has a name."""
        await self._tell(accounts, Act.KEY_ROTATION_BEGUN, key)
        try:
            named = await work()
        except Conflict as refusal:
            await self._tell(
                accounts, Act.REFUSED, key, {"reason": type(refusal).__name__, "says": str(refusal)}
            )
            raise
        await self._tell(accounts, Act.KEY_ROTATED, f"{key} {named}".rstrip())

    async def _tell(
        self, accounts: Sequence[str], act: Act, subject: str, detail: Mapping[str, Scalar] | None = None
    ) -> None:
        actor = ACTOR.get() or "operator"
        entries = [Entry(one, act, subject, actor=actor, detail=detail or {}) for one in accounts]
        if entries:
            await self._acts.record(*entries)


def ask(folder: Path, request: Request) -> None:
    """Ask the server that has this keys folder to rotate a key."""
    _write(folder, [*_read(folder), msgspec.json.encode(request).decode()])


def _write(folder: Path, asked: Sequence[str]) -> None:
    aside = folder / (FILE_NAME + ".aside")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("".join(f"{one}\n" for one in dict.fromkeys(asked)))
        file.flush()
        os.fsync(file.fileno())
    aside.rename(folder / FILE_NAME)


def _read(folder: Path) -> list[str]:
    """What is asked, a line each."""
    try:
        return (folder / FILE_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


class AskedRotations:
    """Does what was asked through the file."""

    def __init__(self, rotations: Rotations, folder: Path) -> None:
        self._rotations = rotations
        self._folder = folder

    def jobs(self) -> list[Job]:
        return [Job("vault.rotate", run=self.look, every=LOOK_EVERY, timeout=timedelta(hours=1))]

    async def look(self) -> None:
        """Do what is asked, if anything is."""
        asked = await asyncio.to_thread(_read, self._folder)
        for line in asked:
            await self._rotate(line)
        if asked:
            await asyncio.to_thread(self._answered, asked)

    async def _rotate(self, line: str) -> None:
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.DecodeError:
            log.warning("what was asked for is no rotation")
            return
        told = {"key": request.key.value, "account_id": request.account_id or None}
        try:
            with _asking(request):
                await self._rotations.rotate(request)
        except Conflict as refusal:
            log.warning("a key was not rotated", **told, reason=str(refusal))
        else:
            log.info("a key was rotated", **told)

    def _answered(self, asked: Sequence[str]) -> None:
        """Take away what was done; what was asked meanwhile stays."""
        left = [one for one in _read(self._folder) if one not in asked]
        if left:
            _write(self._folder, left)
        else:
            (self._folder / FILE_NAME).unlink()


@contextmanager
def _asking(request: Request) -> Iterator[None]:
    """Whoever asked through the file is who does it."""
    actor, origin = ACTOR.set(request.actor), ORIGIN.set(request.address)
    try:
        yield
    finally:
        ORIGIN.reset(origin)
        ACTOR.reset(actor)
