"""The file store port: objects by key, durable when they are answered."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol


class Stored(NamedTuple):
    """An object that is on disk: how many bytes came in, and the SHA-256 of them as hex."""

    size_bytes: int
    sha256: str


class Listed(NamedTuple):
    """An object that is there, and when it was last written (epoch milliseconds)."""

    key: str
    written_at_ms: int


class Through(Protocol):
    """What an object's bytes become on their way to the disk (they are encrypted).

    Called in a writing thread, piece after piece, never twice at once.
    """

    def push(self, piece: bytes) -> list[bytes]:
        """What can be written by now; may be nothing."""
        ...

    def finish(self) -> list[bytes]:
        """The rest, once every piece was pushed."""
        ...


ReadThrough = Callable[[bytes | memoryview], bytes]
"""Turns each chunk that was read into what is handed on, where it is read: off the loop."""

OpenThrough = Callable[[], Awaitable[Through]]
"""Asked once, when the first bytes are about to be written."""


class ObjectTooLarge(Exception):
    """The stream went over `max_bytes`; nothing of it was kept."""


class ObjectMissing(Exception):
    """No object under this key."""


class FileStore(Protocol):
    """Bytes under keys that we made ourselves (never built from input), each used once. Memory stays flat."""

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], max_bytes: int, through: OpenThrough | None = None
    ) -> Stored:
        """Write a stream under a key that was never used before, as it comes out of `through`.

        Nobody may be told the key before this returns: then the object is whole and durable. What it returns
        counts and hashes what went in. Raises ObjectTooLarge, kernel StorageFull or Unavailable; then, and
        when the stream itself raises or the task is cancelled, no trace is left. A crash may leave a part.
        """
        ...

    async def size(self, key: str) -> int:
        """Size in bytes. Raises ObjectMissing."""
        ...

    def read(
        self, key: str, start: int = 0, length: int | None = None, through: ReadThrough | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes from `start`, in chunks. Raises ObjectMissing at the first step. Close it when done."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; absent is fine. Durable when it returns."""
        ...

    async def drop(self, keys: Sequence[str]) -> None:
        """Remove objects that nobody knows, at little cost: after a crash some may be there again, and are swept."""
        ...

    def list_objects(self) -> AsyncGenerator[list[Listed], None]:
        """Every object there is, some at a time, in no order. Close it when done."""
        ...
