"""What the figures were measured on: processor, kernel, disk, Python, commit."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    processor: str
    cores: int
    kernel: str
    filesystem: str
    sync_ms: tuple[float, float]
    """Of the disk that the server's data is on: p50 and p99 of writing 4 KiB and syncing it."""
    python: str
    commit: str

    def __str__(self) -> str:
        p50, p99 = self.sync_ms
        return (
            f"{self.processor} × {self.cores}, Linux {self.kernel}, {self.filesystem}, "
            f"4 KiB write and sync p50 {p50:.2f} ms p99 {p99:.2f} ms, Python {self.python}, commit {self.commit}"
        )


def look_at_machine(folder: Path) -> Machine:
    """Describe this machine; `folder` is where the servers will keep their data. Raises when it is not a real disk."""
    filesystem = _filesystem_of(folder)
    if filesystem.startswith(("tmpfs", "ramfs")):
        raise SystemExit(
            f"{folder} is on {filesystem}: durable figures need a real disk, give --data another folder"
        )
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        kernel=platform.release(),
        filesystem=filesystem,
        sync_ms=_sync_latency(folder),
        python=platform.python_version(),
        commit=_commit(),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _filesystem_of(folder: Path) -> str:
    """Return the type of the file system: the longest mount point that is a parent decides."""
    best = ("/", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def _sync_latency(folder: Path, rounds: int = 200) -> tuple[float, float]:
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(rounds):
            begun = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(taken, n=100)
    return cuts[49], cuts[98]


def _commit() -> str:
    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=False
        ).stdout

    changed = git("status", "--porcelain", "--", ":/src").strip()
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (
        " and uncommitted changes" if changed else ""
    )
