"""A talkwire of our own under measurement: its own data folder, free ports, the demo brand."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import time
from pathlib import Path

from bench.process import Process, StartFailed, command_of, free_port, resident_bytes_of, wait_for_port
from bench.waiting import wait_until
from bench.web import Connection, connect

SOURCES = Path(__file__).resolve().parents[2] / "src"

SETTINGS = {
    "TALKWIRE_LOG_LEVEL": "warning",
    "TALKWIRE_REQUESTS_PER_SECOND": "1000000",
    "TALKWIRE_REQUESTS_BURST": "1000000",
    "TALKWIRE_SIGN_UPS_PER_MINUTE": "1000000",
    "TALKWIRE_SIGN_UPS_PER_SECOND": "1000000",
    "TALKWIRE_CONSUMER_SLOTS": "1000000",
    "TALKWIRE_CONSUMER_SLOTS_PER_MINUTE": "100000000",
}
"""What we set otherwise than an operator would: the limits that keep one address or one client from doing just what a
load generator does. The checks themselves are not switched off."""


class Talkwire:
    """One node. `names` are the variables of its `demo.env`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._settings = {**SETTINGS, **settings}
        self.names: dict[str, str] = {}
        self.address = ("127.0.0.1", free_port())
        self._tls_port = free_port()
        self._process: Process | None = None

    @property
    def account(self) -> str:
        return self.names["LP_ACCOUNT"]

    @property
    def process(self) -> Process:
        if self._process is None:
            raise StartFailed("not started")
        return self._process

    async def start(self) -> float:
        """Bring it up (again, on the same ports); return the seconds until `/healthz` answered 200."""
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.folder / "data" / "demo.env"
        written.unlink(missing_ok=True)
        ports = ["--port", str(self._tls_port), "--http-port", str(self.address[1])]
        data = ["--data", str(self.folder / "data"), "--keys", str(self.folder / "keys")]
        command = [sys.executable, "-m", "talkwire", "serve", "--demo", *data, *ports]
        environment = {**self._settings, "PYTHONPATH": os.pathsep.join([str(SOURCES)])}
        self._process = Process(command, self.folder / "server.log", environment)
        await wait_for_port(self._process, self.address[1])
        seconds = await self._first_answer()
        await wait_until(written.exists, seconds=30)
        self.names = dict(_variables(written.read_text()))
        return seconds

    async def _first_answer(self) -> float:
        while True:
            self.process.check_running()
            connection = await connect(self.address)
            answer = await connection.request("GET", "/healthz")
            connection.close()
            if answer.status == 200:
                return time.perf_counter() - self.process.started_at
            await asyncio.sleep(0.005)

    async def connect(self, source: str | None = None) -> Connection:
        return await connect(self.address, source)

    async def connect_storage(self) -> Connection:
        """Connect to where discovery sends clients with their files, without TLS."""
        host, _, port = self.names["LP_SWIFT_HTTP"].rpartition(":")
        return await connect((host, int(port)))

    def storage_bytes(self) -> int:
        """Return the resident memory of the process that moves files' bytes."""
        mine = [pid for pid in self.process.family() if b"storage_process" in command_of(pid)]
        return sum(resident_bytes_of(pid) for pid in mine)

    def complaints(self) -> str:
        """Return the end of what it logged."""
        log = self.folder / "server.log"
        return log.read_text()[-3000:] if log.exists() else ""

    def cpu_seconds(self) -> float:
        return self.process.cpu_seconds()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            await self._process.stop(how)


def _variables(text: str) -> list[tuple[str, str]]:
    """Return the names and values of `export NAME='value'` lines."""
    found = []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            found.append((name, value))
    return found
