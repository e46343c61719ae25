"""The file store on a local disk: written and synced by threads that never wait for a slow sender.

Layout under the folder: `objects/yz/abc…xyz`, by the last two digits: the first ones may be the time. Keys are hex digits that we made, and nobody knows one before its
object is whole; so nothing is renamed. What a crash left half-written has no row, and is swept with the orphans.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from talkwire.backends.filestore.port import (
    Listed,
    ObjectMissing,
    ObjectTooLarge,
    OpenThrough,
    ReadThrough,
    Stored,
    Through,
)
from talkwire.kernel.errors import StorageFull, Unavailable

try:
    import fcntl
except ImportError:  # pragma: no cover -- not a POSIX system
    _FULL_SYNC = None
else:
    _FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone stops at the drive's cache

T = TypeVar("T")

BATCH_BYTES = 256 * 1024
"""How much of an upload is gathered before a thread writes it; with the socket's buffers under 1 MiB."""

MOST_PIECES = 64
"""A slow sender's pieces are joined now and then: a byte costs little, an object of one byte does not."""

READ_BYTES = 512 * 1024
_MOST_PARTS = 64  # of one writev; systems take at least 16, most 1,024
_KEY = re.compile(r"[0-9a-f]{16,64}", re.ASCII)
_FULL = {errno.ENOSPC, errno.EDQUOT}


class LocalDisk:
    """Objects as files. Open it with `LocalDisk.open`, close it when no upload is under way."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self._objects = folder / "objects"
        self._pool = pool
        self._folders = _Folders()

    @classmethod
    async def open(cls, folder: Path, threads: int = 4) -> "LocalDisk":
        """Make the folders where they are missing.

        Raises Unavailable when the folder cannot be written.
        """
        store = cls(folder, ThreadPoolExecutor(threads, thread_name_prefix="filestore"))
        try:
            await store._run(store._prepare)
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Finish what the threads have in hand."""
        await asyncio.to_thread(self._pool.shutdown)
        self._folders.close()

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], max_bytes: int, through: OpenThrough | None = None
    ) -> Stored:
        draft = _Draft(self._place(key), self._folders)
        gathered = _Gathered()
        size = 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise ObjectTooLarge  # noqa: TRY301 -- what was gathered goes the same way for every reason
                gathered.add(chunk)
                if gathered.size_bytes >= BATCH_BYTES:
                    draft.through = draft.through or (await through() if through else None)
                    await self._run(draft.write, gathered.take())
            draft.through = draft.through or (await through() if through else None)
            digest = await self._run(draft.finish, gathered.take())
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
        reader = _Reader(self._place(key), start, length, through)
        try:
            while not reader.at_end:
                if chunk := await self._run_on_object(reader.read):
                    yield chunk
        finally:
            if not reader.at_end:
                self._pool.submit(reader.close)

    async def delete(self, key: str) -> None:
        await self._run(self._delete, self._place(key))

    async def list_objects(self) -> AsyncGenerator[list[Listed], None]:
        for shard in range(256):
            yield await self._run(self._list_shard, shard)

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        """Do blocking work in the pool; the system's error becomes ours."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        except OSError as error:
            raise _refusal_of(error) from error

    async def _run_on_object(self, work: Callable[..., T], *args: object) -> T:
        """As `_run`, for work on an object that may not be there."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        except FileNotFoundError as error:
            raise ObjectMissing from error
        except OSError as error:
            raise _refusal_of(error) from error

    def _place(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("an object's key is made by us: hex digits only")
        return self._objects / key[-2:] / key

    def _prepare(self) -> None:
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

    def _delete(self, place: Path) -> None:
        place.unlink(missing_ok=True)
        self._folders.sync(place.parent)


class _Folders:
    """The folders of the objects, held open: to open one for each sync costs more than the sync itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Path, int] = {}

    def sync(self, folder: Path) -> None:
        """Make what was added to a folder, or removed from it, durable."""
        with self._lock:
            descriptor = self._held.get(folder)
            if descriptor is None:
                descriptor = self._held[folder] = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        _sync(descriptor)

    def close(self) -> None:
        with self._lock:
            while self._held:
                os.close(self._held.popitem()[1])


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


class _Draft:
    """One object on its way to the disk.

    Its methods run in threads, one at a time; `discard` may be called while another is still running.
    """

    def __init__(self, place: Path, folders: "_Folders") -> None:
        self._place = place
        self._folders = folders
        self._lock = threading.Lock()
        self._descriptor = -1
        self._is_made = False
        self._discarded = False
        self._hash = hashlib.sha256()
        self.through: Through | None = None  # set before the first write

    def write(self, pieces: list[bytes]) -> None:
        with self._lock:
            self._write(pieces)

    def finish(self, pieces: list[bytes]) -> str:
        """Write the rest, make all of it durable, and return the hash of what went in."""
        with self._lock:
            self._write(pieces)
            if self.through is not None:
                self._write_out(self.through.finish())
            _sync(self._descriptor)
            self._close()
            self._folders.sync(self._place.parent)
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Leave no trace, whatever had been reached."""
        with self._lock:
            self._discarded = True
            self._close()
            if self._is_made:
                self._place.unlink(missing_ok=True)

    def _write(self, pieces: list[bytes]) -> None:
        if self._discarded:  # cancelled before this thread came to it
            raise OSError(errno.ECANCELED, "discarded")
        if self._descriptor < 0:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            self._descriptor = os.open(self._place, flags, 0o600)
            self._is_made = True
        # One long step of each kind, not one per piece: after each this thread waits for the interpreter's lock.
        whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()  # whoever still holds on to it holds nothing: the next batch is growing already
        self._hash.update(whole)
        self._write_out([whole] if self.through is None else self.through.push(whole))

    def _write_out(self, parts: list[bytes]) -> None:
        left = [memoryview(part) for part in parts if part]
        while left:
            written = os.writev(self._descriptor, left[:_MOST_PARTS])
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if written:
                left[0] = left[0][written:]

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class _Reader:
    """A piece of one object, read in order. Opened by the first `read`, closed by the last."""

    def __init__(self, place: Path, start: int, length: int | None, through: ReadThrough | None) -> None:
        self._place = place
        self._through = through
        self._position = start
        self._left = length
        self._lock = threading.Lock()
        self._descriptor = -1
        self.at_end = False

    def read(self) -> bytes:
        """The next chunk; empty when there is nothing more."""
        with self._lock:
            if self._descriptor < 0:
                self._descriptor = os.open(self._place, os.O_RDONLY | os.O_CLOEXEC)
            wanted = READ_BYTES if self._left is None else min(READ_BYTES, self._left)
            chunk = os.pread(self._descriptor, wanted, self._position)
            self._position += len(chunk)
            if self._left is not None:
                self._left -= len(chunk)
            if not chunk or self._left == 0:
                self._close()
            return chunk if self._through is None or not chunk else self._through(chunk)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        self.at_end = True
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def _refusal_of(error: OSError) -> Unavailable:
    if error.errno in _FULL:
        return StorageFull("no space left for files")
    return Unavailable("the file store does not answer")


def _sync(descriptor: int) -> None:
    if _FULL_SYNC is None:
        os.fsync(descriptor)
    else:  # pragma: no cover -- macOS
        fcntl.fcntl(descriptor, _FULL_SYNC)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
