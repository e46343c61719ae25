"""One object on a local disk: being written, being read. Plain blocking steps; who takes them is the store's affair."""

import errno
import hashlib
import os
import threading
from pathlib import Path

from talkwire.backends.filestore.port import ReadThrough, Through

try:
    import fcntl
except ImportError:  # pragma: no cover -- not a POSIX system
    _FULL_SYNC = None
else:
    _FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone stops at the drive's cache

READ_BYTES = 512 * 1024
_MOST_PARTS = 64  # of one writev; systems take at least 16, most 1,024
_AT_ONCE: int = getattr(os, "RWF_NOWAIT", 0)  # Linux: read what is in memory, and do not wait for the disk
_LET_GO: int | None = getattr(os, "POSIX_FADV_DONTNEED", None)
KEPT_BYTES = 512 * 1024
"""What is larger is not kept in the system's memory once it is on the disk: it is read once more, when it is judged,
and then removed. That memory is the database's; and the next large object is copied into pages that are warm."""

_NOT_AT_ONCE = {errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL}


class Folders:
    """The folders of the objects, held open: to open one for each sync costs more than the sync itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, int] = {}

    def sync(self, folder: str) -> None:
        """Make what was added to a folder, or removed from it, durable."""
        sync(self.descriptor(folder))

    def descriptor(self, folder: str) -> int:
        """To be synced, and not closed."""
        with self._lock:
            descriptor = self._held.get(folder)
            if descriptor is None:
                descriptor = self._held[folder] = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            return descriptor

    def close(self) -> None:
        with self._lock:
            while self._held:
                os.close(self._held.popitem()[1])


class Draft:
    """One object on its way to the disk: `write` as often as there is something, `write_rest`, `sync`.

    Whoever syncs by other means syncs `descriptors`, and then lets it be `settled`.

    Its steps are taken one at a time, in any thread; `discard` may be called while another is still running.
    """

    def __init__(self, place: str, folders: Folders) -> None:
        self._place = place
        self._folders = folders
        self._lock = threading.Lock()
        self._descriptor = -1
        self._discarded = False
        self._hash = hashlib.sha256()
        self._written = 0
        self.is_made = False
        self.through: Through | None = None  # set before the first write

    def write(self, pieces: list[bytes]) -> None:
        with self._lock:
            self._write(pieces)

    def write_rest(self, pieces: list[bytes]) -> None:
        with self._lock:
            self._write(pieces)
            if self.through is not None:
                self._write_out(self.through.finish())

    def sync(self) -> str:
        """Make all of it durable, and return the hash of what went in."""
        with self._lock:
            self._check()
            for descriptor in self.descriptors():
                sync(descriptor)
            return self._settled()

    def descriptors(self) -> tuple[int, int]:
        """What makes it durable once both are synced: the object, and the folder that has its name."""
        folder = os.path.dirname(self._place)  # noqa: PTH120 -- a `Path` costs more than the rest of this line
        return self._descriptor, self._folders.descriptor(folder)

    def settled(self) -> str:
        """It is durable: the hash of what went in. Raises OSError when it was discarded meanwhile."""
        with self._lock:
            self._check()
            return self._settled()

    def _settled(self) -> str:
        if self._written > KEPT_BYTES and _LET_GO is not None:
            os.posix_fadvise(self._descriptor, 0, 0, _LET_GO)
        self._close()
        return self._hash.hexdigest()

    def finish(self, pieces: list[bytes]) -> str:
        """The last two steps at once."""
        self.write_rest(pieces)
        return self.sync()

    def discard(self) -> None:
        """Leave no trace, whatever had been reached."""
        with self._lock:
            self._discarded = True
            self._close()
            if self.is_made:
                Path(self._place).unlink(missing_ok=True)

    def _check(self) -> None:
        """Raises OSError when it was cancelled before this thread came to it."""
        if self._discarded:
            raise OSError(errno.ECANCELED, "discarded")

    def _write(self, pieces: list[bytes]) -> None:
        self._check()
        if self._descriptor < 0:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            self._descriptor = os.open(self._place, flags, 0o600)
            self.is_made = True
        # One long step of each kind, not one per piece: after each this thread waits for the interpreter's lock.
        whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()  # whoever still holds on to it holds nothing: the next batch is growing already
        self._hash.update(whole)
        self._write_out([whole] if self.through is None else self.through.push(whole))

    def _write_out(self, parts: list[bytes]) -> None:
        left = [memoryview(part) for part in parts if part]
        while left:
            written = os.writev(self._descriptor, left[:_MOST_PARTS])
            self._written += written
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if written:
                left[0] = left[0][written:]

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class Reader:
    """A piece of one object, read in order. Opened by the first step, closed by the last."""

    def __init__(self, place: str, start: int, length: int | None, through: ReadThrough | None) -> None:
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
            chunk = os.pread(self._opened(), self._wanted(), self._position)
            return self._came(chunk)

    def read_at_once(self) -> bytes:
        """The next chunk as far as it is in memory; empty when it is not, or when there is nothing more."""
        if not _AT_ONCE:
            return b""
        with self._lock:
            room = bytearray(self._wanted())
            try:
                size = os.preadv(self._opened(), [room], self._position, _AT_ONCE)
            except OSError as error:
                if error.errno in _NOT_AT_ONCE:
                    return b""
                raise
            return self._came(memoryview(room)[:size]) if size else b""

    def close(self) -> None:
        with self._lock:
            self._close()

    def _opened(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._place, os.O_RDONLY | os.O_CLOEXEC)
        return self._descriptor

    def _wanted(self) -> int:
        return READ_BYTES if self._left is None else min(READ_BYTES, self._left)

    def _came(self, chunk: bytes | memoryview) -> bytes:
        self._position += len(chunk)
        if self._left is not None:
            self._left -= len(chunk)
        if not chunk or self._left == 0:
            self._close()
        return bytes(chunk) if self._through is None or not chunk else self._through(chunk)

    def _close(self) -> None:
        self.at_end = True
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def sync(descriptor: int) -> None:
    """Wait until it is on the disk, not only in the drive's own memory."""
    if _FULL_SYNC is None:
        os.fsync(descriptor)
    else:  # pragma: no cover -- macOS
        fcntl.fcntl(descriptor, _FULL_SYNC)
