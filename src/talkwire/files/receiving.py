"""Decide about the bytes of a slot that come in: admitted, entered once they are on disk, or forgotten."""

import asyncio
from contextlib import ExitStack
from typing import NamedTuple

from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Transaction
from talkwire.files.allowance import Allowance
from talkwire.files.counter import Admission, Ask, Kept
from talkwire.files.errors import BodyTooLarge, TempUrlInvalid
from talkwire.files.judging import Judge
from talkwire.files.leftovers import Leftovers
from talkwire.files.model import FileLimits, FileState, HostedFile, Received
from talkwire.files.register import FileRegister
from talkwire.files.rules import as_received, consumer_of, judged
from talkwire.files.sealed import Place
from talkwire.files.slots import UploadsUnderWay
from talkwire.files.temp_urls import SignedPath, TempUrls
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import new_growing_id
from talkwire.vault.model import CONSUMER, STAGING, FileKey, Holder
from talkwire.vault.service import Vault, new_file_key


class Upload(NamedTuple):
    """A body that was admitted. `wrapped` is its key on the way to the key store, or what stands in a spent slot."""

    signed: SignedPath
    place: Place
    key_id: str
    wrapped: asyncio.Future[FileKey] | HostedFile
    held: ExitStack  # its place among the uploads under way


class Receiving:
    """The counter's `Uploads`."""

    def __init__(  # noqa: PLR0913 -- a file that comes in touches everything that is kept of it
        self,
        urls: TempUrls,
        vault: Vault,
        register: FileRegister,
        allowance: Allowance,
        judge: Judge,
        leftovers: Leftovers,
        trail: Trail,
        clock: Clock,
        limits: FileLimits,
    ) -> None:
        self._urls = urls
        self._vault = vault
        self._register = register
        self._allowance = allowance
        self._judge = judge
        self._leftovers = leftovers
        self._trail = trail
        self._clock = clock
        self._limits = limits
        self._under_way = UploadsUnderWay(limits)
        self._uploads: dict[int, Upload] = {}
        self._tickets = 0

    async def admit(self, ask: Ask) -> Admission:
        """As `Uploads.admit`. Its key is wrapped while the body comes in."""
        signed = await self._urls.check(ask.method, ask.path, ask.signature, ask.expires)
        max_bytes = self._limits.max_bytes(signed.named.uploader)
        try:
            if ask.length > max_bytes:
                raise BodyTooLarge(max_bytes)
            if not signed.named.participant_id:
                raise TempUrlInvalid  # a path of the older generation: nobody is its uploader
            held = ExitStack()
            held.enter_context(self._under_way.one(signed.relative_path))
        except TalkwireError as refusal:
            await self._record(signed, refusal)
            raise
        return self._admitted(signed, max_bytes, held)

    async def finish(self, ticket: int, kept: Kept) -> Received:
        """As `Uploads.finish`."""
        upload = self._uploads.pop(ticket)
        try:
            with upload.held:
                if isinstance(upload.wrapped, HostedFile):
                    return _repeated(upload.wrapped, kept.sha256)
                return await self._enter(upload.signed, await self._described(upload, upload.wrapped, kept))
        except TalkwireError as refusal:
            await self._record(upload.signed, refusal)
            raise

    async def refuse(self, ticket: int, refusal: TalkwireError) -> None:
        """As `Uploads.refuse`."""
        upload = self._uploads[ticket]
        self.drop(ticket)
        await self._record(upload.signed, refusal)

    def drop(self, ticket: int) -> None:
        """As `Uploads.drop`."""
        upload = self._uploads.pop(ticket)
        upload.held.close()
        if isinstance(upload.wrapped, asyncio.Future):
            self._leftovers.drop_key_when_made(upload.signed.named.account_id, upload.wrapped)

    def abandon(self, ticket: int) -> None:
        """Whoever took the body in is gone, perhaps in the middle: what it wrote goes."""
        upload = self._uploads.get(ticket)
        if upload is not None:
            self.drop(ticket)
            self._leftovers.drop_object(upload.place.object_key)

    def _admitted(self, signed: SignedPath, max_bytes: int, held: ExitStack) -> Admission:
        account_id, now_ms = signed.named.account_id, self._clock.now_ms()
        place = Place(account_id, signed.relative_path, new_growing_id(now_ms))
        key = new_file_key(now_ms)
        spent = self._register.find_held((account_id, signed.relative_path))
        wrapped = spent or asyncio.ensure_future(
            self._vault.create_file_key(account_id, _holder_of(signed), key)
        )
        self._tickets += 1
        self._uploads[self._tickets] = Upload(signed, place, key.key_id, wrapped, held)
        return Admission(self._tickets, place, key.secret, max_bytes, is_spent=spent is not None)

    async def _described(self, upload: Upload, wrapped: asyncio.Future[FileKey], kept: Kept) -> HostedFile:
        """What is to be entered, once its key is durable, too."""
        try:
            await wrapped
        except BaseException:
            self._leftovers.drop_object(upload.place.object_key)
            self._leftovers.drop_key_when_made(upload.signed.named.account_id, wrapped)
            raise
        signed = upload.signed
        file = HostedFile(
            account_id=signed.named.account_id,
            relative_path=signed.relative_path,
            object_key=upload.place.object_key,
            key_id=upload.key_id,
            uploader_id=signed.named.participant_id,
            uploader=signed.named.uploader,
            state=FileState.RECEIVED,
            size_bytes=kept.size_bytes,
            sha256=kept.sha256,
            served_bytes=0,
            served_sha256="",
            image_type=kept.image_type,
            received_at_ms=self._clock.now_ms(),
        )
        if self._judge.is_needed:
            return file
        found = judged(file, as_received(file))
        if not found.object_key:
            self._leftovers.drop_object(file.object_key)
        return found

    async def _record(self, signed: SignedPath, refusal: TalkwireError) -> None:
        """Put on record that nothing was taken under a genuine URL."""
        named = signed.named
        consumer_id = consumer_of(named.uploader, named.participant_id)
        entry = Entry(
            named.account_id, Act.REFUSED, signed.relative_path, consumer_id, detail={"method": "PUT"}
        )
        await self._trail.refuse(entry, refusal)

    async def _enter(self, signed: SignedPath, file: HostedFile) -> Received:
        """Win the slot, or find that it was spent: then our object is one too many.

        Whoever is cancelled in the commit leaves object and key: a row may hold them. If none does, they are swept.
        """
        try:
            record = await self._trail.seal(*_records(file))
        except BaseException:
            self._leftovers.drop(file)
            raise

        async def also(tx: Transaction) -> None:
            await self._trail.write(tx, record)

        try:
            entered = await self._register.enter(file, self._judge.claim(), also)
        except TalkwireError:
            await self._drop_unless_entered(file)
            raise
        if entered.key_id != file.key_id:
            self._leftovers.drop(file)
            return _repeated(entered, file.sha256)
        self._allowance.spend(file, signed.named.opened_at_ms)
        if file.state is FileState.RECEIVED:
            self._judge.take(file)
        return Received(file.received_etag, file.received_at_ms)

    async def _drop_unless_entered(self, file: HostedFile) -> None:
        """A commit may have failed without our knowing how: remove the object only if no row holds it."""
        found = await self._register.find(*file.name, fresh=True)
        if found is None or found.key_id != file.key_id:
            self._leftovers.drop(file)


def _holder_of(signed: SignedPath) -> Holder:
    consumer_id = consumer_of(signed.named.uploader, signed.named.participant_id)
    return Holder(CONSUMER, consumer_id) if consumer_id else Holder(STAGING)


def _repeated(entered: HostedFile, sha256: str) -> Received:
    """The answer to one more complete PUT. Raises TempUrlInvalid when it brought other bytes."""
    if entered.sha256 != sha256:
        raise TempUrlInvalid
    return Received(entered.received_etag, entered.received_at_ms)


def _records(file: HostedFile) -> list[Entry]:
    consumer_id = consumer_of(file.uploader, file.uploader_id)
    received = Entry(
        file.account_id,
        Act.RECEIVED,
        file.relative_path,
        consumer_id,
        actor=file.uploader_id,
        detail={"bytes": file.size_bytes, "sha256": file.sha256},
    )
    if file.state is FileState.RECEIVED:
        return [received]
    verdict: dict[str, Scalar] = {
        "verdict": file.state.value,
        "reason": file.reason,
        "bytes": file.served_bytes,
        "rebuilt": False,
        "scanned": False,
    }
    return [received, Entry(file.account_id, Act.JUDGED, file.relative_path, consumer_id, detail=verdict)]
