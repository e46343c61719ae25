"""What the storage endpoint does: take in the bytes of a slot, hand out the bytes of a file.

It moves bytes and decides nothing: it asks at the counter, whether that is in this process or in another.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from talkwire.backends.filestore.port import ObjectMissing, ObjectTooLarge
from talkwire.files.counter import Admission, Ask, Downloads, Kept, Opened, Uploads
from talkwire.files.errors import BodyTooLarge, FileNotFound
from talkwire.files.model import FileLimits, Received
from talkwire.files.pace import paced
from talkwire.files.sealed import Place, SealedStore
from talkwire.kernel.errors import TalkwireError
from talkwire.sanitation.sniff import Sample
from talkwire.vault.errors import Tampered


class FileStorage:
    """The bytes' way in and out."""

    def __init__(
        self, store: SealedStore, uploads: Uploads, downloads: Downloads, limits: FileLimits
    ) -> None:
        self._store = store
        self._uploads = uploads
        self._downloads = downloads
        self._limits = limits

    async def receive(self, ask: Ask, chunks: AsyncIterator[bytes]) -> Received:
        """Keep a body whole and durably; the first complete one spends the slot.

        `chunks` is not touched before the URL was found genuine. The same bytes once more are answered as the
        first time. Raises TempUrlInvalid (spent with other bytes, too), BodyTooLarge, UploadTooSlow,
        TooManyUploads, StorageFull, Unavailable; then, and when `chunks` raises, nothing is kept.
        """
        admission = await self._uploads.admit(ask)
        try:
            kept = await self._take(admission, paced(chunks, self._limits))
        except TalkwireError as refusal:
            await self._uploads.refuse(admission.ticket, refusal)
            raise
        except BaseException:
            self._uploads.drop(admission.ticket)
            raise
        return await self._uploads.finish(admission.ticket, kept)

    async def open(self, ask: Ask) -> Opened:
        """The file behind a genuine URL, once it is judged. Raises TempUrlInvalid, FileNotFound, NotJudgedYet."""
        return await self._downloads.open(ask)

    async def read(self, opened: Opened, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Bytes of a file, in chunks, each verified. Close it when done.

        That they were served is on record before the first is given. Raises FileNotFound at the first step,
        Tampered at any: then what was given so far was right, and nothing more is given.
        """
        file, asker, is_recorded = opened.file, opened.asker, opened.is_recorded
        place = Place(file.account_id, file.relative_path, file.object_key)
        reading = self._store.read(place, opened.secret, start, length, file.served_bytes)
        try:
            async with aclosing(reading) as chunks:
                async for chunk in chunks:
                    if not is_recorded:
                        await self._downloads.note_served(file, asker, start, length)
                        is_recorded = True
                    yield chunk
        except ObjectMissing:
            self._downloads.note_missing(*file.name)
            raise FileNotFound from None
        except Tampered:
            await self._downloads.note_tampered(file, asker)
            raise

    async def _take(self, admission: Admission, chunks: AsyncIterator[bytes]) -> Kept:
        """Raises BodyTooLarge, and what `chunks` raises."""
        if admission.is_spent:
            return await _measured(chunks, admission.max_bytes)
        sample = Sample()
        try:
            stored = await self._store.put(
                admission.place, admission.secret, _sampled(chunks, sample), admission.max_bytes
            )
        except ObjectTooLarge:
            raise BodyTooLarge(admission.max_bytes) from None
        return Kept(stored.size_bytes, stored.sha256, sample.sniff())


async def _measured(chunks: AsyncIterator[bytes], max_bytes: int) -> Kept:
    """Size and hash of bytes that are not kept. Raises BodyTooLarge."""
    digest, size = hashlib.sha256(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise BodyTooLarge(max_bytes)
        digest.update(chunk)
    return Kept(size, digest.hexdigest(), None)


async def _sampled(chunks: AsyncIterator[bytes], sample: Sample) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        sample.add(chunk)
        yield chunk
