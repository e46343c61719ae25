"""A quiet machine before each family of figures: what the one before left behind is gone, and the disk is at rest."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

REST_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
_REQUESTS = (3, 7, 14, 18)  # reads, writes, discards and flushes that are done, of /proc/diskstats


async def settle(folder: Path) -> None:
    """Remove what is in a folder, and wait until nothing was asked of any disk for a second (or for half a minute)."""
    for left in folder.iterdir():
        shutil.rmtree(left, ignore_errors=True)
    os.sync()
    deadline = time.monotonic() + PATIENCE_SECONDS
    seen, since = _requests(), time.monotonic()
    while time.monotonic() - since < REST_SECONDS and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        now = _requests()
        if now > seen + 2:  # a clock tick of somebody's is no work
            seen, since = now, time.monotonic()


def _requests() -> int:
    try:
        rows = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    except OSError:  # not Linux
        return 0
    return sum(int(row[field]) for row in rows for field in _REQUESTS if field < len(row))
