"""The local disk: whole or not at all, and flat in memory."""

import asyncio
import errno
import hashlib
import os
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from files_desk import files_in, pieces, until_files
from talkwire.backends.filestore import localdisk
from talkwire.backends.filestore.localdisk import LocalDisk
from talkwire.backends.filestore.localdisk_spread import is_spread, spread
from talkwire.backends.filestore.localdisk_syncs import KernelSyncs
from talkwire.backends.filestore.port import ObjectMissing, ObjectTooLarge
from talkwire.kernel.errors import StorageFull, Unavailable

KEY = "ab" * 16
MIB = 1024 * 1024


@pytest.fixture(params=["threads", "may block", "may block, and the kernel cannot sync"])
async def disk(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LocalDisk]:
    if "cannot" in request.param:
        monkeypatch.setattr(KernelSyncs, "open", lambda: None)
    store = await LocalDisk.open(tmp_path, threads=2, may_block=request.param != "threads")
    yield store
    await store.close()


async def gone(folder: Path) -> None:
    await until_files(folder, 0)


async def whole(store: LocalDisk, key: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read(key, start, length)])


@pytest.mark.parametrize("size", [0, 1, localdisk.BATCH_BYTES, localdisk.BATCH_BYTES + 1, 3 * MIB])
async def test_what_was_put_is_what_is_read(disk: LocalDisk, size: int) -> None:
    data = os.urandom(size)
    stored = await disk.put(KEY, pieces(data), max_bytes=size)
    assert stored == (size, hashlib.sha256(data).hexdigest())
    assert await disk.size(KEY) == size
    assert await whole(disk, KEY) == data


async def test_folders_of_objects_are_spread_over_the_disk(disk: LocalDisk, tmp_path: Path) -> None:
    try:
        assert is_spread(tmp_path / "objects")
    except OSError:
        pytest.skip("this file system knows no such wish")


def test_a_wish_that_cannot_be_told_is_dropped(tmp_path: Path) -> None:
    spread(tmp_path / "absent")


async def test_a_piece_is_read_from_anywhere(disk: LocalDisk) -> None:
    data = os.urandom(2 * MIB)
    await disk.put(KEY, pieces(data), max_bytes=2 * MIB)
    assert await whole(disk, KEY, 5, 7) == data[5:12]
    assert await whole(disk, KEY, 1, MIB) == data[1 : MIB + 1]
    assert await whole(disk, KEY, 2 * MIB - 3) == data[-3:]
    assert await whole(disk, KEY, 2 * MIB) == b""
    assert await whole(disk, KEY, 3, 0) == b""


async def test_a_reader_may_stop_early(disk: LocalDisk) -> None:
    await disk.put(KEY, pieces(bytes(2 * MIB)), max_bytes=2 * MIB)
    chunks = disk.read(KEY)
    assert await anext(chunks)
    await chunks.aclose()


async def test_one_byte_too_many_leaves_no_trace(disk: LocalDisk, tmp_path: Path) -> None:
    await disk.put(KEY, pieces(b"x" * 100, 30), max_bytes=100)
    await disk.delete(KEY)
    for size, limit in ((101, 100), (2 * MIB, MIB)):
        with pytest.raises(ObjectTooLarge):
            await disk.put(KEY, pieces(bytes(size), 30_000), max_bytes=limit)
        await gone(tmp_path)


async def test_a_stream_that_breaks_leaves_no_trace(disk: LocalDisk, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(MIB)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await disk.put(KEY, broken(), max_bytes=2 * MIB)
    await gone(tmp_path)
    with pytest.raises(ObjectMissing):
        await disk.size(KEY)


@pytest.mark.parametrize("size", [10, 2 * MIB])
async def test_a_cancelled_upload_leaves_no_trace(disk: LocalDisk, tmp_path: Path, size: int) -> None:
    for turns in range(6):
        upload = asyncio.create_task(disk.put(KEY, pieces(bytes(size)), max_bytes=size))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not upload.cancel():  # it was quicker than we: whole, and no longer to be cancelled
            await disk.delete(KEY)
            continue
        with pytest.raises(asyncio.CancelledError):
            await upload
        await gone(tmp_path)


async def test_a_key_is_used_once(disk: LocalDisk) -> None:
    await disk.put(KEY, pieces(b"one"), max_bytes=10)
    with pytest.raises(Unavailable):
        await disk.put(KEY, pieces(b"two"), max_bytes=10)
    assert await whole(disk, KEY) == b"one"


class Doubled:
    """Writes every piece twice, and an end."""

    def push(self, piece: bytes) -> list[bytes]:
        return [piece, piece]

    def finish(self) -> list[bytes]:
        return [b".", b""]


async def test_what_is_written_goes_through_what_is_asked_for_and_counts_as_it_came(disk: LocalDisk) -> None:
    asked = 0

    async def doubled() -> Doubled:
        nonlocal asked
        asked += 1
        return Doubled()

    data = os.urandom(2 * localdisk.BATCH_BYTES + 5)
    stored = await disk.put(KEY, pieces(data), 10 * MIB, doubled)
    assert stored == (len(data), hashlib.sha256(data).hexdigest())
    assert await disk.size(KEY) == 2 * len(data) + 1
    assert asked == 1


async def test_nothing_is_left_when_what_it_should_go_through_is_refused(
    disk: LocalDisk, tmp_path: Path
) -> None:
    async def refused() -> Doubled:
        raise Unavailable("no key")

    with pytest.raises(Unavailable):
        await disk.put(KEY, pieces(b"data"), 10, refused)
    await gone(tmp_path)


async def test_every_object_is_listed(disk: LocalDisk, tmp_path: Path) -> None:
    keys = {os.urandom(16).hex() for _ in range(20)}
    for key in keys:
        await disk.put(key, pieces(b"data"), 10)
    (tmp_path / "objects" / "ab" / "lost+found").write_bytes(b"not ours")
    listed = [one async for some in disk.list_objects() for one in some]
    assert {one.key for one in listed} == keys
    assert all(abs(one.written_at_ms - time.time() * 1000) < 60_000 for one in listed)


async def test_absent_objects_are_missing_and_may_be_deleted(disk: LocalDisk) -> None:
    with pytest.raises(ObjectMissing):
        await disk.size(KEY)
    with pytest.raises(ObjectMissing):
        await whole(disk, KEY)
    await disk.delete(KEY)
    await disk.drop([KEY])


async def test_what_is_dropped_is_gone(disk: LocalDisk, tmp_path: Path) -> None:
    keys = [f"{number:032x}" for number in range(3)]
    for key in keys:
        await disk.put(key, pieces(b"x"), max_bytes=1)
    await disk.drop(keys[:2])
    assert [path.name for path in files_in(tmp_path)] == keys[2:]


async def test_a_full_disk_is_told_as_such_and_left_clean(
    disk: LocalDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, parts: list[memoryview]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(StorageFull):
        await disk.put(KEY, pieces(b"data"), max_bytes=10)
    monkeypatch.undo()
    await gone(tmp_path)
    await disk.put(KEY, pieces(b"data"), max_bytes=10)


async def test_a_short_write_is_carried_on(disk: LocalDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "writev", lambda descriptor, parts: write(descriptor, parts[0][:3]))
    await disk.put(KEY, pieces(b"0123456789"), max_bytes=10)
    assert await whole(disk, KEY) == b"0123456789"


def failing_later(_: KernelSyncs, *descriptors: int) -> asyncio.Future[None]:
    assert len(descriptors) == 2, "the object and its folder"
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    failed.set_exception(OSError(errno.EIO, "Input/output error"))
    return failed


async def test_a_disk_that_fails_is_unavailable(disk: LocalDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    monkeypatch.setattr(KernelSyncs, "begin", failing_later)
    with pytest.raises(Unavailable) as refusal:
        await disk.put(KEY, pieces(b"data"), max_bytes=10)
    assert not isinstance(refusal.value, StorageFull)


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        await LocalDisk.open(tmp_path / "file")


@pytest.mark.parametrize("key", ["", "..", "../../etc/passwd", "AB" * 16, "ab/cd" * 5, "ab" * 33])
async def test_a_key_that_we_did_not_make_is_a_fault_of_ours(disk: LocalDisk, key: str) -> None:
    with pytest.raises(ValueError, match="hex"):
        await disk.put(key, pieces(b""), max_bytes=0)


async def test_memory_stays_flat(disk: LocalDisk) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(1024):
            yield bytes(64 * 1024)

    tracemalloc.start()
    try:
        await disk.put(KEY, stream(), max_bytes=64 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * MIB


async def test_no_thread_waits_for_a_slow_sender(disk: LocalDisk) -> None:
    finish = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(localdisk.BATCH_BYTES)
        await finish.wait()

    uploads = [asyncio.create_task(disk.put(f"{n:032x}", slow(), max_bytes=MIB)) for n in range(50)]
    async with asyncio.timeout(10):
        await disk.put(KEY, pieces(b"quick"), max_bytes=10)
    assert not any(upload.done() for upload in uploads)
    finish.set()
    assert len(await asyncio.gather(*uploads)) == 50


async def test_an_object_that_goes_while_it_is_listed_is_left_out(disk: LocalDisk, tmp_path: Path) -> None:
    await disk.put(KEY, pieces(b"data"), 10)
    (tmp_path / "objects" / "00" / ("0" * 32)).symlink_to(
        tmp_path / "nowhere"
    )  # its name is there, itself is not
    listed = [one async for some in disk.list_objects() for one in some]
    assert [one.key for one in listed] == [KEY]
