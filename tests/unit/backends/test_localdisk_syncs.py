"""Syncs by the kernel: real ones of real files, and what happens when it has no room or tells an error."""

import asyncio
import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from talkwire.backends.filestore import localdisk_syncs
from talkwire.backends.filestore.localdisk_syncs import KernelSyncs


@pytest.fixture
async def syncs() -> Any:
    opened = KernelSyncs.open()
    if opened is None:
        pytest.skip("this system has no asynchronous syncs")
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"x" * 10_000)
    yield descriptor
    os.close(descriptor)


def begun(syncs: KernelSyncs, *descriptors: int) -> asyncio.Future[None]:
    done = syncs.begin(*descriptors)
    assert done is not None
    return done


async def test_a_file_and_its_folder_are_synced(syncs: KernelSyncs, file: int, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    async with asyncio.timeout(10):
        await asyncio.gather(*(begun(syncs, file, folder) for _ in range(50)))
    os.close(folder)


async def test_more_than_fit_are_left_to_threads_until_there_is_room(
    syncs: KernelSyncs, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(localdisk_syncs, "MOST", 3)
    first = begun(syncs, file, file)
    assert syncs.begin(file, file) is None
    async with asyncio.timeout(10):
        await first
        await begun(syncs, file, file)


async def test_what_the_kernel_refuses_is_left_to_threads(syncs: KernelSyncs, file: int) -> None:
    closed = os.dup(file)
    os.close(closed)
    assert syncs.begin(closed, file) is None
    assert syncs.begin(file, closed) is None  # the first was taken, and is done for nobody
    async with asyncio.timeout(10):
        await begun(syncs, file)


async def test_whoever_waits_may_go(syncs: KernelSyncs, file: int) -> None:
    begun(syncs, file).cancel()
    async with asyncio.timeout(10):
        await begun(syncs, file)


class Told:
    """A kernel that tells what the test says."""

    def __init__(self) -> None:
        self.fileno, self._bell = os.pipe()
        self._callbacks: list[Callable[[int], Any]] = []
        self._results: list[int] = []

    def fsync(self, descriptor: int) -> "Told":
        return self

    def set_callback(self, callback: Callable[[int], Any]) -> None:
        self._callbacks.append(callback)

    def submit(self, *operations: object) -> int:
        return len(operations)

    def tell(self, *results: int) -> None:
        self._results += results
        os.write(self._bell, b".")

    def poll(self) -> None:
        os.read(self.fileno, 100)

    def process_events(self) -> int:
        results, self._results = self._results, []
        for result in results:
            self._callbacks.pop(0)(result % (1 << 64))
        return len(results)


async def test_an_error_of_either_is_told_when_both_are_done() -> None:
    kernel = Told()
    syncs = KernelSyncs(kernel, kernel.fsync)  # type: ignore[arg-type]
    syncing = begun(syncs, 1, 2)
    kernel.tell(-errno.ENOSPC)
    await asyncio.sleep(0)
    assert not syncing.done()
    kernel.tell(0)
    with pytest.raises(OSError, match="No space") as full:
        await asyncio.wait_for(syncing, 10)
    assert full.value.errno == errno.ENOSPC
    syncs.close()


async def test_where_the_library_is_lacking_threads_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "caio.linux_aio", None)
    assert KernelSyncs.open() is None


async def test_other_systems_have_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert KernelSyncs.open() is None
