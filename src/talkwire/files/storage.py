"""What the storage endpoint does: receive the bytes of a slot, hand out the bytes of a file.

Who may use a path was decided when its URL was signed; here the signature is all that counts.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from talkwire.backends.filestore.port import FileStore, ObjectMissing, ObjectTooLarge, Stored
from talkwire.files.errors import BodyTooLarge, FileNotFound, TempUrlInvalid
from talkwire.files.model import FileLimits, HostedFile, Received
from talkwire.files.pace import paced
from talkwire.files.register import FileRegister
from talkwire.files.rules import judge
from talkwire.files.slots import SlotBook, UploadsUnderWay
from talkwire.files.temp_urls import SignedPath, TempUrls
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import TalkwireError
from talkwire.sanitation.sniff import Sample


class FileStorage:
    """The bytes' way in and out."""

    def __init__(
        self,
        store: FileStore,
        register: FileRegister,
        urls: TempUrls,
        slots: SlotBook,
        clock: Clock,
        limits: FileLimits,
    ) -> None:
        self._store = store
        self._register = register
        self._urls = urls
        self._slots = slots
        self._clock = clock
        self._limits = limits
        self._under_way = UploadsUnderWay(limits)

    async def check_url(self, method: str, path: str, signature: str, expires: str) -> SignedPath:
        """To be asked before a byte of a body is read. Raises TempUrlInvalid."""
        return await self._urls.check(method, path, signature, expires)

    def max_bytes(self, signed: SignedPath) -> int:
        """The limit of whom the slot was made for."""
        return self._limits.max_bytes(signed.named.uploader)

    async def receive(self, signed: SignedPath, chunks: AsyncIterator[bytes]) -> Received:
        """Keep a body whole and durably; the first complete one spends the slot.

        The same bytes once more are answered as the first time (that answer may have been lost). Raises
        BodyTooLarge, UploadTooSlow, TooManyUploads, TempUrlInvalid (spent with other bytes),
        StorageFull, Unavailable; then, and when `chunks` raises, nothing is kept.
        """
        if not signed.named.participant_id:
            raise TempUrlInvalid  # a path of the older generation: nobody is its uploader
        sample = Sample()
        object_key = os.urandom(16).hex()
        with self._under_way.one(signed.relative_path):
            try:
                stored = await self._store.put(
                    object_key, _sampled(paced(chunks, self._limits), sample), self.max_bytes(signed)
                )
            except ObjectTooLarge:
                raise BodyTooLarge(self.max_bytes(signed)) from None
            return await self._enter(signed, self._described(signed, object_key, stored, sample))

    async def get(self, signed: SignedPath) -> HostedFile:
        """The file behind a genuine URL. Raises FileNotFound."""
        file = await self._register.find(signed.named.account_id, signed.relative_path)
        if file is None or not file.state.may_be_served:
            raise FileNotFound
        return file

    async def read(self, file: HostedFile, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Bytes of a file, in chunks. Raises FileNotFound at the first step. Close it when done."""
        try:
            async with aclosing(self._store.read(file.object_key, start, length)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ObjectMissing:
            raise FileNotFound from None

    def _described(self, signed: SignedPath, object_key: str, stored: Stored, sample: Sample) -> HostedFile:
        """The verdict is given at once while it takes no more than a look at both ends."""
        image_type = sample.sniff()
        return HostedFile(
            account_id=signed.named.account_id,
            relative_path=signed.relative_path,
            object_key=object_key,
            uploader_id=signed.named.participant_id,
            uploader=signed.named.uploader,
            state=judge(image_type, stored.size_bytes),
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            image_type=image_type,
            received_at_ms=self._clock.now_ms(),
        )

    async def _enter(self, signed: SignedPath, file: HostedFile) -> Received:
        """Win the slot, or find that it was spent: then our object is one too many."""
        try:
            entered = await self._register.enter(file)
        except TalkwireError:
            await self._drop_unless_entered(file)
            raise
        if entered.object_key != file.object_key:
            await self._store.delete(file.object_key)
            if entered.sha256 != file.sha256:
                raise TempUrlInvalid
        else:
            self._slots.spend(file.account_id, file.uploader_id, signed.named.opened_at_ms)
        return Received(entered.etag, entered.received_at_ms)

    async def _drop_unless_entered(self, file: HostedFile) -> None:
        """A commit may have failed without our knowing how: remove the object only if no row holds it."""
        found = await self._register.find(file.account_id, file.relative_path, fresh=True)
        if found is None or found.object_key != file.object_key:
            await self._store.delete(file.object_key)


async def _sampled(chunks: AsyncIterator[bytes], sample: Sample) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        sample.add(chunk)
        yield chunk
