"""A quiet machine before each family of figures: what the one before left behind is gone, the disk is at rest, and the
memory is there."""

from __future__ import annotations

import asyncio
import mmap
import os
import shutil
import time
from pathlib import Path

REST_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
MOST_BYTES = 2 << 30
_PIECE = bytes(1 << 20)
_REQUESTS = (3, 7, 14, 18)  # reads, writes, discards and flushes that are done, of /proc/diskstats


async def settle(folder: Path) -> None:
    """Remove what is in a folder, and wait until nothing was asked of any disk for a second (or for half a minute)."""
    for left in folder.iterdir():
        shutil.rmtree(left, ignore_errors=True)
    os.sync()
    await asyncio.to_thread(take_memory)
    deadline = time.monotonic() + PATIENCE_SECONDS
    seen, since = _requests(), time.monotonic()
    while time.monotonic() - since < REST_SECONDS and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        now = _requests()
        if now > seen + 2:  # a clock tick of somebody's is no work
            seen, since = now, time.monotonic()


def take_memory() -> None:
    """Use some memory and give it back: a virtual machine gets it from its host at the first touch, at the price of a copy.

    What a server writes into the system's memory for files is then as dear as on a machine that owns its memory.
    """
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = min(MOST_BYTES, available // 4) // len(_PIECE) * len(_PIECE)
    with mmap.mmap(-1, size) as memory:
        for _ in range(size // len(_PIECE)):
            memory.write(_PIECE)


def _requests() -> int:
    try:
        rows = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    except OSError:  # not Linux
        return 0
    return sum(int(row[field]) for row in rows for field in _REQUESTS if field < len(row))
