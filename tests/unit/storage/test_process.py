"""The life of the storage process, with a program that only says it is ready."""

import asyncio
import os
import signal
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
from talkwire.storage.wire import LENGTH, Drain, Ping, Pong, Ready, Said, Told

link = socket.socket(fileno=int(sys.argv[1]))
frame = msgspec.msgpack.encode(Said(0, Ready()))
link.sendall(LENGTH.pack(len(frame)) + frame)
told = b""
while b"Drain" not in told:
    told += link.recv(100_000)
    while len(told) >= LENGTH.size and len(told) >= (end := LENGTH.size + LENGTH.unpack_from(told)[0]):
        heard, told = msgspec.msgpack.decode(told[LENGTH.size:end], type=Told), told[end:]
        if isinstance(heard, Drain):
            sys.exit()
        if isinstance(heard, Ping):
            frame = msgspec.msgpack.encode(Said(0, Pong(heard.number)))
            link.sendall(LENGTH.pack(len(frame)) + frame)
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
    process = StorageProcess("storage_program", BEGIN, counter, patience_seconds=1.5)
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


async def test_one_that_hangs_is_no_more_ready_and_is_started_again(
    process: StorageProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await process.start([], [listener()])
    await process.check()
    hanging = process._process
    assert hanging is not None
    os.kill(hanging.pid, signal.SIGSTOP)
    monkeypatch.setattr("talkwire.storage.process.PONG_SECONDS", 0.05)
    with pytest.raises(TimeoutError):
        await process.check()
    async with asyncio.timeout(10):
        while process.starts == 1 or not process._ready.is_set():  # noqa: ASYNC110 -- nobody rings
            await asyncio.sleep(0.01)
    assert hanging.returncode == -signal.SIGKILL
    monkeypatch.undo()
    await process.check()


async def test_one_that_hung_for_a_moment_lives_on(process: StorageProcess) -> None:
    await process.start([], [listener()])
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.check(), 0.15)
    os.kill(process._process.pid, signal.SIGCONT)
    for _ in range(3):
        await process.check()
    assert process.starts == 1
