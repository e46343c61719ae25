"""What the storage endpoint does: receive the bytes of a slot, hand out the bytes of a file.

Who may use a path was decided when its URL was signed; here the signature is all that counts.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from talkwire.audit.model import Act, Entry
from talkwire.audit.service import Trail
from talkwire.backends.filestore.port import ObjectMissing
from talkwire.files.errors import FileNotFound
from talkwire.files.model import FileLimits, FileState, HostedFile, Received
from talkwire.files.receiving import Receiving
from talkwire.files.register import FileRegister
from talkwire.files.rules import consumer_of
from talkwire.files.sealed import SealedObjects
from talkwire.files.temp_urls import SignedPath, TempUrls
from talkwire.files.verdicts import Verdicts
from talkwire.kernel.errors import TalkwireError
from talkwire.vault.errors import KeyDestroyed, Tampered


class FileStorage:
    """The bytes' way in and out."""

    def __init__(
        self,
        receiving: Receiving,
        objects: SealedObjects,
        register: FileRegister,
        verdicts: Verdicts,
        urls: TempUrls,
        trail: Trail,
        limits: FileLimits,
    ) -> None:
        self._receiving = receiving
        self._objects = objects
        self._register = register
        self._verdicts = verdicts
        self._urls = urls
        self._trail = trail
        self._limits = limits

    async def check_url(self, method: str, path: str, signature: str, expires: str) -> SignedPath:
        """To be asked before a byte of a body is read. Raises TempUrlInvalid."""
        return await self._urls.check(method, path, signature, expires)

    def max_bytes(self, signed: SignedPath) -> int:
        """The limit of whom the slot was made for."""
        return self._limits.max_bytes(signed.named.uploader)

    async def receive(self, signed: SignedPath, chunks: AsyncIterator[bytes]) -> Received:
        """As `Receiving.receive`."""
        try:
            return await self._receiving.receive(signed, chunks)
        except TalkwireError as refusal:
            await self.refused(signed, "PUT", refusal)
            raise

    async def refused(self, signed: SignedPath, method: str, refusal: TalkwireError) -> None:
        """Put on record that nothing was taken or given under a genuine URL."""
        named = signed.named
        consumer_id = consumer_of(named.uploader, named.participant_id)
        entry = Entry(
            named.account_id, Act.REFUSED, signed.relative_path, consumer_id, detail={"method": method}
        )
        await self._trail.refuse(entry, refusal)

    async def get(self, signed: SignedPath) -> HostedFile:
        """The file behind a genuine URL, once it is judged. Raises FileNotFound, NotJudgedYet."""
        name = (signed.named.account_id, signed.relative_path)
        deadline = self._verdicts.deadline()
        file = await self._register.find(*name)
        if file is not None and file.state is FileState.RECEIVED:
            await self._verdicts.wait(name, deadline)
            file = await self._register.find(*name)
        if file is None or not file.state.may_be_served:
            refusal = FileNotFound()
            await self.refused(signed, "GET", refusal)
            raise refusal
        return file

    async def read(self, file: HostedFile, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Bytes of a file, in chunks, each verified. Close it when done.

        That they were served is on record before the first is given. Raises FileNotFound at the first step,
        Tampered at any: then what was given so far was right, and nothing more is given.
        """
        is_recorded = False
        try:
            async with aclosing(self._objects.read(file, start, length, file.served_bytes)) as chunks:
                async for chunk in chunks:
                    if not is_recorded:
                        await self._trail.record(_served(file, start, length))
                        is_recorded = True
                    yield chunk
        except (ObjectMissing, KeyDestroyed):
            self._register.forget(file.name)
            raise FileNotFound from None
        except Tampered:
            await self._trail.record(_refused(file, "stored bytes were tampered with"))
            raise


def _served(file: HostedFile, start: int, length: int) -> Entry:
    detail = {"start": start, "bytes": length}
    consumer_id = consumer_of(file.uploader, file.uploader_id)
    return Entry(file.account_id, Act.SERVED, file.relative_path, consumer_id, detail=detail)


def _refused(file: HostedFile, reason: str) -> Entry:
    consumer_id = consumer_of(file.uploader, file.uploader_id)
    return Entry(file.account_id, Act.REFUSED, file.relative_path, consumer_id, detail={"reason": reason})
