"""The file store on a local disk: written and synced by threads that never wait for a slow sender.

Layout under the folder: `objects/yz/abc…xyz`, by the last two digits: the first ones may be the time. Keys are hex
digits that we made, and nobody knows one before its object is whole; so nothing is renamed. What a crash left
half-written has no row, and is swept with the orphans.
"""

import asyncio
import contextlib
import errno
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from talkwire.backends.filestore.localdisk_objects import Draft, Folders, Reader, sync
from talkwire.backends.filestore.localdisk_spread import spread
from talkwire.backends.filestore.localdisk_syncs import KernelSyncs
from talkwire.backends.filestore.port import (
    Listed,
    ObjectMissing,
    ObjectTooLarge,
    OpenThrough,
    ReadThrough,
    Stored,
)
from talkwire.kernel.errors import StorageFull, Unavailable

T = TypeVar("T")

BATCH_BYTES = 256 * 1024
"""How much of an upload is gathered before a thread writes it: the objects that are usual go in one step."""

SMALL_BYTES = 512 * 1024
"""Where the loop may block it writes so much of an object itself. The rest goes through threads, in smaller batches: a
copy into fresh memory of the system's is slow, and others want the loop; it is memory that counts then, not steps."""

MOST_PIECES = 64
"""A slow sender's pieces are joined now and then: a byte costs little, an object of one byte does not."""

_KEY = re.compile(r"[0-9a-f]{16,64}", re.ASCII)
_FULL = {errno.ENOSPC, errno.EDQUOT}


class LocalDisk:
    """Objects as files. Open it with `LocalDisk.open`, close it when no upload is under way."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor, *, may_block: bool) -> None:
        self._objects = folder / "objects"
        self._pool = pool
        self._may_block = may_block
        self._batch_bytes = BATCH_BYTES // 2 if may_block else BATCH_BYTES
        self._folders = Folders()
        self._syncs = KernelSyncs.open() if may_block else None

    @classmethod
    async def open(cls, folder: Path, threads: int = 4, *, may_block: bool = False) -> "LocalDisk":
        """Make the folders where they are missing.

        With `may_block` the loop itself does what seldom waits for the disk (a small object into the system's memory,
        and out of it), and the kernel or a thread only syncs: for a process that does nothing else. Raises Unavailable
        when the folder cannot be written.
        """
        store = cls(folder, ThreadPoolExecutor(threads, thread_name_prefix="filestore"), may_block=may_block)
        try:
            await store._run(store._prepare)
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Finish what the threads have in hand."""
        await asyncio.to_thread(self._pool.shutdown)
        if self._syncs is not None:
            self._syncs.close()
        self._folders.close()

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], max_bytes: int, through: OpenThrough | None = None
    ) -> Stored:
        draft = Draft(self._place(key), self._folders)
        gathered = _Gathered()
        size = 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise ObjectTooLarge  # noqa: TRY301 -- what was gathered goes the same way for every reason
                gathered.add(chunk)
                if gathered.size_bytes >= self._batch_bytes:
                    draft.through = draft.through or (await through() if through else None)
                    await self._write(draft, gathered.take(), size)
            draft.through = draft.through or (await through() if through else None)
            digest = await self._finish(draft, gathered.take(), size)
        except BaseException:
            # Not awaited: this task may be cancelled. The draft's lock puts it after what is still running.
            self._pool.submit(draft.discard)
            raise
        return Stored(size, digest)

    async def size(self, key: str) -> int:
        return (await self._run_on_object(os.stat, self._place(key))).st_size

    async def read(
        self, key: str, start: int = 0, length: int | None = None, through: ReadThrough | None = None
    ) -> AsyncGenerator[bytes, None]:
        reader = Reader(self._place(key), start, length, through)
        try:
            while not reader.at_end:
                if chunk := self._at_once(reader) or await self._run_on_object(reader.read):
                    yield chunk
        finally:
            if not reader.at_end:
                self._pool.submit(reader.close)

    async def delete(self, key: str) -> None:
        await self._run(self._delete, self._place(key))

    async def drop(self, keys: Sequence[str]) -> None:
        await self._run(_unlink, [self._place(key) for key in keys])

    async def list_objects(self) -> AsyncGenerator[list[Listed], None]:
        for shard in range(256):
            yield await self._run(self._list_shard, shard)

    async def _write(self, draft: Draft, pieces: list[bytes], size: int) -> None:
        if self._takes_a_thread(size):
            return await self._run(draft.write, pieces)
        with _refused():
            return draft.write(pieces)

    async def _finish(self, draft: Draft, rest: list[bytes], size: int) -> str:
        if self._takes_a_thread(size):
            return await self._run(draft.finish, rest)
        with _refused():
            draft.write_rest(rest)
            syncing = self._syncs.begin(*draft.descriptors()) if self._syncs else None
            if syncing is not None:
                await syncing
                return draft.settled()
        return await self._run(draft.sync)

    def _takes_a_thread(self, size: int) -> bool:
        """Whether an object of which so much came is written by a thread."""
        return not self._may_block or size > SMALL_BYTES

    def _at_once(self, reader: Reader) -> bytes:
        """What can be read without waiting for the disk; may be nothing."""
        if not self._may_block:
            return b""
        with _refused(missing=ObjectMissing):
            return reader.read_at_once()

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        """Do blocking work in the pool; the system's error becomes ours."""
        with _refused():
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    async def _run_on_object(self, work: Callable[..., T], *args: object) -> T:
        """As `_run`, for work on an object that may not be there."""
        with _refused(missing=ObjectMissing):
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    def _place(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError("an object's key is made by us: hex digits only")
        return f"{self._objects}/{key[-2:]}/{key}"

    def _prepare(self) -> None:
        self._objects.mkdir(parents=True, exist_ok=True)
        spread(self._objects)
        for shard in range(256):
            (self._objects / f"{shard:02x}").mkdir(parents=True, exist_ok=True)
        for folder in (self._objects, self._objects.parent):
            _sync_folder(folder)

    def _list_shard(self, shard: int) -> list[Listed]:
        with os.scandir(self._objects / f"{shard:02x}") as entries:
            listed = []
            for entry in entries:
                if _KEY.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):  # deleted since the folder was read
                        listed.append(Listed(entry.name, entry.stat().st_mtime_ns // 1_000_000))
            return listed

    def _delete(self, place: str) -> None:
        Path(place).unlink(missing_ok=True)
        self._folders.sync(str(Path(place).parent))


class _Gathered:
    """What has come of an upload and is not written yet, as it came: nothing is copied that is not tiny."""

    __slots__ = ("_pieces", "size_bytes")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size_bytes = 0

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.size_bytes += len(piece)
        if len(self._pieces) >= MOST_PIECES:
            self._pieces = [b"".join(self._pieces)]

    def take(self) -> list[bytes]:
        pieces, self._pieces, self.size_bytes = self._pieces, [], 0
        return pieces


def _unlink(places: Iterable[str | Path]) -> None:
    for place in places:
        Path(place).unlink(missing_ok=True)


@contextlib.contextmanager
def _refused(missing: type[Exception] | None = None) -> Iterator[None]:
    """The system's error becomes ours; `missing` is raised for a file that is not there."""
    try:
        yield
    except OSError as error:
        if missing is not None and isinstance(error, FileNotFoundError):
            raise missing from error
        raise _refusal_of(error) from error


def _refusal_of(error: OSError) -> Unavailable:
    if error.errno in _FULL:
        return StorageFull("no space left for files")
    return Unavailable("the file store does not answer")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
