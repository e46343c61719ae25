"""Where the server's time goes while it is under load: py-spy looks, this adds up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

LOOKS_PER_SECOND = 100
SHOWN = 40
WAITING = (
    "_worker (concurrent/futures/thread.py",
    "Condition.wait (threading.py",
    "SqliteWriter._run (",
)
"""Where a thread that has nothing to do stands: not counted."""


@asynccontextmanager
async def profiled(pid: int, seconds: float, report: Path) -> AsyncIterator[None]:
    """Look at a process for `seconds` from now on, and write what was seen to `report` on leaving."""
    raw = report.with_suffix(".raw")
    py_spy = Path(sys.executable).with_name("py-spy")
    options = [
        "-d",
        str(max(1, int(seconds))),
        "-r",
        str(LOOKS_PER_SECOND),
        "-t",
        "--nonblocking",
        "-f",
        "raw",
        "-o",
        str(raw),
    ]
    looking = subprocess.Popen(
        [py_spy, "record", "-p", str(pid), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        await asyncio.to_thread(looking.wait)
        report.write_text(_summary(raw.read_text()))


def _summary(stacks: str) -> str:
    """Add up folded stacks, for each thread that did something: own time by line, and functions with what they call."""
    threads = Counter[str]()
    own: defaultdict[str, Counter[str]] = defaultdict(Counter)
    within: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in stacks.splitlines():
        folded, _, count = line.rpartition(" ")
        thread, *frames = folded.split(";")
        if not frames or frames[-1].startswith(WAITING):
            continue
        thread = thread.rpartition(": ")[2]
        threads[thread] += int(count)
        own[thread][frames[-1]] += int(count)
        for name in {frame.rpartition(":")[0] for frame in frames}:
            within[thread][name] += int(count)
    parts = ["threads\n" + _shares(threads, threads.total())]
    for thread, looks in threads.most_common(2):
        parts.append(f"{thread}: own time, by line\n{_shares(own[thread], looks)}")
        parts.append(f"{thread}: with what they call\n{_shares(within[thread], looks)}")
    return "\n\n".join(parts) + "\n"


def _shares(counter: Counter[str], total: int) -> str:
    return "\n".join(f"{count / total:7.1%}  {name}" for name, count in counter.most_common(SHOWN) if count)
