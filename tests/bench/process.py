"""Child processes under measurement: started, waited for, weighed and stopped by their own id."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class StartFailed(Exception):
    """A server we want to measure did not come up."""


class Process:
    """A program, and every process that it started."""

    def __init__(self, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.started_at = time.perf_counter()
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.pid = self._child.pid

    def check_running(self) -> None:
        if self._child.poll() is not None:
            raise StartFailed(f"exit {self._child.returncode}:\n{self.log.read_text()[-2000:]}")

    def family(self) -> list[int]:
        """Return the ids of the process and of all it started: they share its session, or have one of their own."""
        parents = {pid: _parent_and_session_of(pid) for pid in _all_pids()}
        family = {pid for pid, (_, session) in parents.items() if session == self.pid}
        while born := {pid for pid, (parent, _) in parents.items() if parent in family} - family:
            family |= born
        return sorted(family)

    def cpu_seconds(self) -> float:
        """Return user and system time so far, of the whole family."""
        return sum(cpu_seconds_of(pid) for pid in self.family())

    def resident_bytes(self) -> int:
        return sum(resident_bytes_of(pid) for pid in self.family())

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, and after ten seconds end it hard."""
        for number in (how, signal.SIGKILL):
            self._signal(number)
            for _ in range(200):
                if self._child.poll() is not None and not self.family():
                    return
                await asyncio.sleep(0.05)

    def _signal(self, number: signal.Signals) -> None:
        try:
            if number is signal.SIGKILL:
                os.killpg(self.pid, number)
            else:
                self._child.send_signal(number)
        except ProcessLookupError:
            return


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat_of(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on (state), or none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent_and_session_of(pid: int) -> tuple[int, int]:
    fields = _stat_of(pid)
    return (int(fields[1]), int(fields[3])) if fields and fields[0] != "Z" else (0, 0)


def cpu_seconds_of(pid: int) -> float:
    fields = _stat_of(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND if fields else 0.0


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def resident_bytes_of(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0


def free_port() -> int:
    """Return a port nobody listens on, below those that outgoing connections take: it must stay free for a while."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


async def wait_for_port(process: Process, port: int, seconds: float = 30) -> None:
    """Return once something listens. Raises StartFailed when the process ends or the time is over."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        process.check_running()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.005)
    raise StartFailed(f"nothing listens on {port} after {seconds} s:\n{process.log.read_text()[-2000:]}")
