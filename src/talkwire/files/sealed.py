"""Files encrypted: objects and previews sealed under the key of their file, and bound to their place.

What is sealed opens only as what it was sealed for: this account, this path, this object. So an original cannot be put
in the place of what is served, nor one file in that of another.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import NamedTuple

from talkwire.backends.filestore.port import FileStore, Stored
from talkwire.files.model import HostedFile
from talkwire.kernel.ids import AccountId
from talkwire.vault.errors import Tampered
from talkwire.vault.service import Vault
from talkwire.vault.streaming import (
    HEADER_BYTES,
    Opener,
    OpeningRange,
    Sealer,
    open_whole,
    seal_whole,
    sealed_size,
    segments_for,
)

PREVIEW = "preview"
"""Stands for the object's key of a preview, which is a row."""


class Place(NamedTuple):
    """Where sealed bytes belong."""

    account_id: AccountId
    relative_path: str
    object_key: str

    @property
    def aad(self) -> bytes:
        return "\n".join(self).encode()


class SealedStore:
    """The file store, as whoever moves bytes sees it: nothing goes in or comes out but through a key."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    async def put(self, place: Place, secret: bytes, chunks: AsyncIterator[bytes], max_bytes: int) -> Stored:
        """As the store's `put`."""

        async def sealer() -> Sealer:
            return Sealer(secret, place.aad)

        return await self._store.put(place.object_key, chunks, max_bytes, sealer)

    async def read(
        self, place: Place, secret: bytes, start: int, length: int, plain_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """Bytes of a file of `plain_bytes`, each verified. Close it when done.

        Raises ObjectMissing at the first step, Tampered at any.
        """
        span = segments_for(start, length, plain_bytes)
        header, at = b"", 0
        if span.first_segment > 0:  # otherwise the header comes in the same run
            header, at = await self._header(place.object_key), span.sealed_start
        reading: OpeningRange | None = None

        def opened(chunk: bytes | memoryview) -> bytes:
            nonlocal reading, header
            sealed = memoryview(chunk)
            if reading is None:
                if not header:
                    header, sealed = bytes(sealed[:HEADER_BYTES]), sealed[HEADER_BYTES:]
                opener = Opener(secret, place.aad, header, sealed_size(plain_bytes))
                reading = opener.range(start, length)
            plain = reading.push(sealed)
            return plain[0] if len(plain) == 1 else b"".join(plain)

        size = span.sealed_end - at
        async with aclosing(self._store.read(place.object_key, at, size, opened)) as chunks:
            async for plain in chunks:
                yield plain
        if reading is None:
            raise Tampered("A sealed file is empty.")
        reading.finish()

    async def delete(self, object_key: str) -> None:
        await self._store.delete(object_key)

    async def _header(self, object_key: str) -> bytes:
        async with aclosing(self._store.read(object_key, 0, HEADER_BYTES)) as chunks:
            return b"".join([chunk async for chunk in chunks])


class SealedObjects:
    """The same for the rest of this room, which leaves the keys to the vault."""

    def __init__(self, store: FileStore, vault: Vault) -> None:
        self.store = SealedStore(store)
        self._vault = vault

    async def put_whole(self, place: Place, key_id: str, data: bytes) -> Stored:
        """Seal what is in memory, under the key of its file. Raises KeyDestroyed."""
        secret = await self._vault.file_key(place.account_id, key_id)

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        return await self.store.put(place, secret, chunks(), len(data))

    async def read(
        self, file: HostedFile, start: int, length: int, plain_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """As `SealedStore.read`. Raises KeyDestroyed at the first step, too."""
        secret = await self._vault.file_key(file.account_id, file.key_id)
        place = Place(file.account_id, file.relative_path, file.object_key)
        async with aclosing(self.store.read(place, secret, start, length, plain_bytes)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def read_whole(self, file: HostedFile, plain_bytes: int) -> bytes:
        async with aclosing(self.read(file, 0, plain_bytes, plain_bytes)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def delete(self, object_key: str) -> None:
        await self.store.delete(object_key)

    async def seal_preview(self, file: HostedFile, data: bytes) -> bytes:
        """Raises KeyDestroyed."""
        secret = await self._vault.file_key(file.account_id, file.key_id)
        return seal_whole(secret, Place(*file.name, PREVIEW).aad, data)

    async def open_preview(
        self, account_id: AccountId, relative_path: str, key_id: str, sealed: bytes
    ) -> bytes:
        """Raises KeyDestroyed, Tampered."""
        secret = await self._vault.file_key(account_id, key_id)
        return open_whole(secret, Place(account_id, relative_path, PREVIEW).aad, sealed)
