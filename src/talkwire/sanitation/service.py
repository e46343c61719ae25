"""Rebuild pictures in worker processes: what goes out is what we encoded ourselves."""

from collections.abc import Awaitable, Callable

from talkwire.sanitation.model import Limits, Rebuilt, Wish
from talkwire.sanitation.sniff import ImageType

Read = Callable[[], Awaitable[bytes]]


class Sanitizer:
    """A pool of workers. Opened once per node: `sanitizer = await Sanitizer.open(workers, limits)`."""

    @classmethod
    async def open(cls, workers: int = 0, limits: Limits | None = None) -> "Sanitizer":
        """Start so many workers; 0: one per core."""
        raise NotImplementedError

    async def rebuild(self, read: Read, wish: Wish) -> Rebuilt:
        """Decode and encode anew what `read` brings.

        `read` is called once, when a worker is free: nobody holds the bytes while they wait.
        Raises Rejected (a verdict, for good), Busy (the queue is full) and whatever `read` raises.
        """
        raise NotImplementedError

    async def rebuild_preview(self, data: bytes, max_bytes: int) -> tuple[bytes, ImageType] | None:
        """A client's own preview, checked by its bytes and made anew, smaller than `max_bytes`.

        None when it is no picture. Raises Busy.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """End the workers; what is under way fails with Busy."""
        raise NotImplementedError
