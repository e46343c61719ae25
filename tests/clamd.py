"""A real clamd for tests, in a folder of its own, that knows one thing: EICAR, the test file of the trade.

Where Debian's clamav-daemon cannot be found the tests that need it are skipped by name.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# In two parts, so that no scanner takes this file for one.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Test.Eicar"


@dataclass
class ClamdServer:
    """A daemon that listens on a socket and on a port."""

    program: str
    folder: Path
    port: int
    most: str = "8M"  # bytes of one stream
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def unix(self) -> str:
        return f"unix:{self.folder / 'clamd.sock'}"

    @property
    def tcp(self) -> str:
        return f"tcp:127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._write_files()
        with (self.folder / "out").open("wb") as out:
            self._process = subprocess.Popen(
                [self.program, "--foreground", f"--config-file={self.folder / 'clamd.conf'}"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "out").read_text())
            time.sleep(0.05)

    def kill(self, how: int = signal.SIGKILL) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        if how == signal.SIGKILL:
            self._process.wait(timeout=10)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.sendall(b"zPING\0")
            return client.recv(16) == b"PONG\0"
        return False

    def _write_files(self) -> None:
        signatures = self.folder / "signatures"
        signatures.mkdir(exist_ok=True)
        (signatures / "test.ndb").write_text(f"{NAME}:0:*:{EICAR.hex()}\n")
        (self.folder / "clamd.conf").write_text(
            f"DatabaseDirectory {signatures}\nLocalSocket {self.folder / 'clamd.sock'}\n"
            f"TCPSocket {self.port}\nTCPAddr 127.0.0.1\nTemporaryDirectory {self.folder}\n"
            f"MaxThreads 4\nStreamMaxLength {self.most}\nFixStaleSocket yes\n"
        )


def find_clamd() -> str | None:
    return shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def clamd_server(most: str = "8M") -> Iterator[ClamdServer]:
    """A new daemon that takes so much of a stream, gone afterwards."""
    program = find_clamd()
    if program is None:
        pytest.skip("clamd is not installed (Debian: clamav-daemon)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="talkwire-clamd-"))
    server = ClamdServer(program, folder, port, most)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
