"""The life of the storage process, with a program that only says it is ready."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from files_desk import Desk
from talkwire.files.model import FileLimits
from talkwire.kernel.errors import Unavailable
from talkwire.ops.incidents import IncidentLog
from talkwire.ops.metrics import Metrics
from talkwire.storage.answering import Counter
from talkwire.storage.process import StorageProcess
from talkwire.storage.wire import Begin

PROGRAM = """
import socket, sys
import msgspec
from talkwire.storage.wire import LENGTH, Ready, Said

link = socket.socket(fileno=int(sys.argv[1]))
frame = msgspec.msgpack.encode(Said(0, Ready()))
link.sendall(LENGTH.pack(len(frame)) + frame)
while b"Drain" not in link.recv(100_000):
    pass
"""

BEGIN = Begin("", FileLimits(), [], [], "", "", "", "", 0, 1.0, "info", "json", log_requests=False)


@pytest.fixture
async def process(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StorageProcess]:
    (tmp_path / "storage_program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)
    rooms, tasks = desk.rooms, desk.ground.tasks
    counter = Counter(rooms.uploads, rooms.downloads, tasks, IncidentLog(Metrics()), lambda _: None)
    process = StorageProcess("storage_program", BEGIN, counter)
    yield process
    await process.stop(5)


def listener() -> socket.socket:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    return listening


async def test_a_start_for_which_the_system_has_no_process_is_tried_again(
    process: StorageProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = sys.executable
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with capture_logs() as said:
        starting = asyncio.create_task(process.start([], [listener()]))
        async with asyncio.timeout(5):
            while len(said) < 4:  # noqa: ASYNC110 -- nobody rings when a start fails
                await asyncio.sleep(0.005)
    with pytest.raises(Unavailable):
        await process.check()
    monkeypatch.setattr(sys, "executable", python)
    await starting
    await process.check()


async def test_told_to_stop_nobody_waits_in_line_any_more(process: StorageProcess) -> None:
    listening = listener()
    port = listening.getsockname()[1]
    await process.start([], [listening])
    await process.stop(5)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
