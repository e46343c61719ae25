"""The file store port: objects by key, written aside and published whole."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple, Protocol


class Stored(NamedTuple):
    """An object that is on disk: its size in bytes, and the SHA-256 of its content as hex."""

    size_bytes: int
    sha256: str


class ObjectTooLarge(Exception):
    """The stream went over `max_bytes`; nothing of it was kept."""


class ObjectMissing(Exception):
    """No object under this key."""


class FileStore(Protocol):
    """Bytes under keys that we made ourselves (never built from input). Memory stays flat."""

    async def put(self, key: str, chunks: AsyncIterator[bytes], max_bytes: int) -> Stored:
        """Write a stream aside, fsync it, then put it in place under `key` (replacing what was there).

        Durable when it returns. Raises ObjectTooLarge, kernel StorageFull or Unavailable; then, and
        when the stream itself raises or the task is cancelled, no trace is left.
        """
        ...

    async def size(self, key: str) -> int:
        """Size in bytes. Raises ObjectMissing."""
        ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from `start`, in chunks. Raises ObjectMissing at the first step. Close it when done."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; absent is fine."""
        ...
