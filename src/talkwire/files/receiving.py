"""Receive the bytes of a slot: encrypted before they touch the disk, and kept whole or not at all."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Transaction
from talkwire.backends.filestore.port import ObjectTooLarge, Stored
from talkwire.files.errors import BodyTooLarge, TempUrlInvalid
from talkwire.files.judging import Judge
from talkwire.files.leftovers import Leftovers
from talkwire.files.model import FileLimits, FileState, HostedFile, Received
from talkwire.files.pace import paced
from talkwire.files.quotas import Quotas
from talkwire.files.register import FileRegister
from talkwire.files.rules import as_received, consumer_of, judged
from talkwire.files.sealed import Place, SealedObjects
from talkwire.files.slots import SlotBook, UploadsUnderWay
from talkwire.files.temp_urls import SignedPath
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import new_growing_id
from talkwire.sanitation.sniff import Sample
from talkwire.vault.model import CONSUMER, STAGING, FileKey, Holder
from talkwire.vault.service import Vault, new_file_key


class Receiving:
    """The bytes' way in."""

    def __init__(  # noqa: PLR0913 -- a file that comes in touches everything that is kept of it
        self,
        objects: SealedObjects,
        vault: Vault,
        register: FileRegister,
        slots: SlotBook,
        quotas: Quotas,
        judge: Judge,
        leftovers: Leftovers,
        trail: Trail,
        clock: Clock,
        limits: FileLimits,
    ) -> None:
        self._objects = objects
        self._vault = vault
        self._register = register
        self._slots = slots
        self._quotas = quotas
        self._judge = judge
        self._leftovers = leftovers
        self._trail = trail
        self._clock = clock
        self._limits = limits
        self._under_way = UploadsUnderWay(limits)

    async def receive(self, signed: SignedPath, chunks: AsyncIterator[bytes]) -> Received:
        """Keep a body whole and durably; the first complete one spends the slot.

        The same bytes once more are answered as the first time (that answer may have been lost). Raises
        BodyTooLarge, UploadTooSlow, TooManyUploads, TempUrlInvalid (spent with other bytes),
        StorageFull, Unavailable; then, and when `chunks` raises, nothing is kept.
        """
        if not signed.named.participant_id:
            raise TempUrlInvalid  # a path of the older generation: nobody is its uploader
        with self._under_way.one(signed.relative_path):
            paced_chunks = paced(chunks, self._limits)
            spent = self._register.find_held((signed.named.account_id, signed.relative_path))
            if spent is not None:
                return _repeated(spent, await self._hash(signed, paced_chunks))
            account_id, key = signed.named.account_id, new_file_key(self._clock.now_ms())
            kept = asyncio.ensure_future(self._vault.create_file_key(account_id, _holder_of(signed), key))
            try:
                file = await self._keep(signed, paced_chunks, key)
                try:
                    await kept  # all the while the body came in and was written
                except BaseException:
                    self._leftovers.drop_object(file.object_key)
                    raise
            except BaseException:
                self._leftovers.drop_key_when_made(account_id, kept)
                raise
            return await self._enter(signed, file)

    async def _keep(self, signed: SignedPath, chunks: AsyncIterator[bytes], key: FileKey) -> HostedFile:
        """The object, durable, and what is to be entered about it."""
        object_key = new_growing_id(self._clock.now_ms())
        place = Place(signed.named.account_id, signed.relative_path, object_key)
        sample = Sample()

        async def secret() -> bytes:
            return key.secret

        max_bytes = self._limits.max_bytes(signed.named.uploader)
        try:
            stored = await self._objects.put(place, secret, _sampled(chunks, sample), max_bytes)
        except ObjectTooLarge:
            raise BodyTooLarge(max_bytes) from None
        file = self._described(signed, place, key.key_id, stored, sample)
        if not file.object_key:
            self._leftovers.drop_object(place.object_key)
        return file

    def _described(
        self, signed: SignedPath, place: Place, key_id: str, stored: Stored, sample: Sample
    ) -> HostedFile:
        file = HostedFile(
            account_id=signed.named.account_id,
            relative_path=signed.relative_path,
            object_key=place.object_key,
            key_id=key_id,
            uploader_id=signed.named.participant_id,
            uploader=signed.named.uploader,
            state=FileState.RECEIVED,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            served_bytes=0,
            served_sha256="",
            image_type=sample.sniff(),
            received_at_ms=self._clock.now_ms(),
        )
        return file if self._judge.is_needed else judged(file, as_received(file))

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
        self._quotas.count(file)
        self._slots.spend(file.account_id, file.uploader_id, signed.named.opened_at_ms)
        if file.state is FileState.RECEIVED:
            self._judge.take(file)
        return Received(file.received_etag, file.received_at_ms)

    async def _drop_unless_entered(self, file: HostedFile) -> None:
        """A commit may have failed without our knowing how: remove the object only if no row holds it."""
        found = await self._register.find(*file.name, fresh=True)
        if found is None or found.key_id != file.key_id:
            self._leftovers.drop(file)

    async def _hash(self, signed: SignedPath, chunks: AsyncIterator[bytes]) -> str:
        """The hash of bytes that are not kept. Raises BodyTooLarge."""
        digest, size = hashlib.sha256(), 0
        max_bytes = self._limits.max_bytes(signed.named.uploader)
        async for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise BodyTooLarge(max_bytes)
            digest.update(chunk)
        return digest.hexdigest()


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
    }
    return [received, Entry(file.account_id, Act.JUDGED, file.relative_path, consumer_id, detail=verdict)]


async def _sampled(chunks: AsyncIterator[bytes], sample: Sample) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        sample.add(chunk)
        yield chunk
