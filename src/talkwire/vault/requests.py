"""Rotations and who asks for them: at the desk, or of a running server through a file in the keys folder.

Only the server's user can write that file. Who could could also read the keys, so it needs no other permission,
and who asks is believed. The server does what stands there, line by line, and takes each line away once it is done
or has failed for good; what only cannot be had now (Unavailable) stays for the next look. A line that was broken off
by a crash is done again: that is one rotation more. A second one of the key for temporary URLs ends the URLs in
flight, so that no other line may be repeated for the sake of one.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from talkwire.audit.acts import Acts
from talkwire.audit.errors import HeadMissing
from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.kernel.errors import Conflict, Unavailable
from talkwire.kernel.jobs import Job
from talkwire.vault.errors import NothingToRotate
from talkwire.vault.service import Vault

FILE_NAME = "rotate.request"
LOOK_EVERY = timedelta(seconds=2)

T = TypeVar("T")

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
    """Rotates keys. The key store has commits of its own, so that it begins is on record before it does.

    A trail that cannot be opened is told nothing, which is an error in the log: it is no reason to keep a key.
    """

    def __init__(self, vault: Vault, rotate_urls: RotateUrls, acts: Acts) -> None:
        self._vault = vault
        self._rotate_urls = rotate_urls
        self._acts = acts

    async def rotate(self, request: Request) -> None:
        """Raises NothingToRotate, Conflict, Unavailable; and Tampered and the like, of what lies under the key."""
        accounts = await self._vault.list_accounts()
        if request.key is not Key.MASTER and request.account_id not in accounts:
            raise NothingToRotate(f"Account {request.account_id} has no keys.")
        its_own = [request.account_id]
        if request.key is Key.URLS:
            await self._or_refused(its_own, request.key, partial(self._rotate_urls, request.account_id))
        elif request.key is Key.ACCOUNT:
            await self._recorded(its_own, request.key, partial(self._account, request.account_id))
        else:
            await self._recorded(accounts, request.key, self._vault.rotate_master)

    async def tell_ended(self) -> None:
        """Record the rotations that were broken off and that the start ended."""
        for account_id in self._vault.ended:
            detail = {"ended": "at a start"}
            await self._record(Entry(account_id, Act.KEY_ROTATED, Key.ACCOUNT, actor="server", detail=detail))

    async def _account(self, account_id: str) -> str:
        await self._vault.rotate_account(account_id)
        return ""

    async def _recorded(self, accounts: Sequence[str], key: Key, work: Callable[[], Awaitable[str]]) -> None:
        """`work` gives what the new key is called, if it has a name."""
        await self._tell(accounts, Act.KEY_ROTATION_BEGUN, key)
        named = await self._or_refused(accounts, key, work)
        await self._tell(accounts, Act.KEY_ROTATED, f"{key} {named}".rstrip())

    async def _or_refused(self, accounts: Sequence[str], key: Key, work: Callable[[], Awaitable[T]]) -> T:
        """What cannot be had later either is on record as refused."""
        try:
            return await work()
        except Exception as failure:
            if not _may_pass(failure):
                says = (
                    str(failure)
                    if isinstance(failure, Conflict)
                    else "broken off; the server's log says where"
                )
                detail = {"reason": type(failure).__name__, "says": says}
                await self._tell(accounts, Act.REFUSED, key, detail)
            raise

    async def _tell(
        self, accounts: Sequence[str], act: Act, subject: str, detail: Mapping[str, Scalar] | None = None
    ) -> None:
        actor = ACTOR.get() or "operator"
        for account_id in accounts:
            await self._record(Entry(account_id, act, subject, actor=actor, detail=detail or {}))

    async def _record(self, entry: Entry) -> None:
        try:
            await self._acts.record(entry)
        except Exception as failure:
            if _may_pass(failure):
                raise
            log.exception(
                "a rotation is not on record: the trail cannot be opened",
                account_id=entry.account_id,
                act=entry.act.value,
                subject=entry.subject,
                actor=entry.actor,
            )


def _may_pass(failure: Exception) -> bool:
    """Whether trying again later may help: not where the end of a trail is gone."""
    return isinstance(failure, Unavailable) and not isinstance(failure, HeadMissing)


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
        """Do what is asked, if anything is: one that fails holds no other up, and is nobody's reason to do it again."""
        for line in dict.fromkeys(await asyncio.to_thread(_read, self._folder)):
            if await self._is_answered(line):
                await asyncio.to_thread(self._take_away, line)

    async def _is_answered(self, line: str) -> bool:
        """Carry a line out; False when it may be had later."""
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.DecodeError:
            log.warning("what was asked for is no rotation")
            return True
        told = {"key": request.key.value, "account_id": request.account_id or None}
        try:
            with _asking(request):
                await self._rotations.rotate(request)
        except Conflict as refusal:
            log.warning("a key was not rotated", **told, reason=str(refusal))
        except Exception as failure:
            if _may_pass(failure):
                log.warning("a key is not rotated yet", **told, reason=str(failure))
                return False
            log.exception("a key was not rotated", **told)
        else:
            log.info("a key was rotated", **told)
        return True

    def _take_away(self, line: str) -> None:
        """What was asked meanwhile stays."""
        left = [one for one in _read(self._folder) if one != line]
        if left:
            _write(self._folder, left)
        else:
            (self._folder / FILE_NAME).unlink(missing_ok=True)


@contextmanager
def _asking(request: Request) -> Iterator[None]:
    """Whoever asked through the file is who does it."""
    actor, origin = ACTOR.set(request.actor), ORIGIN.set(request.address)
    try:
        yield
    finally:
        ORIGIN.reset(origin)
        ACTOR.reset(actor)
