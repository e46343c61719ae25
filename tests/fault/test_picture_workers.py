"""Workers that are killed, hang, run out of something, or are asked for what they gave up."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from corpus.clean import complaints
from corpus.parts import gif, jpeg, png, png_header, quarters
from talkwire.sanitation.errors import Busy, NoWorker, Rejected
from talkwire.sanitation.model import MIB, Limits, Reason, Rebuilt, Wish
from talkwire.sanitation.service import Sanitizer
from talkwire.sanitation.sniff import ImageType

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux confines")


@pytest.fixture
async def sanitizer() -> AsyncIterator[Sanitizer]:
    opened = await Sanitizer.open(1)
    await opened.ready()
    yield opened
    await opened.close()


def asked(sanitizer: Sanitizer, data: bytes) -> asyncio.Task[Rebuilt]:
    async def read() -> bytes:
        return data

    return asyncio.create_task(sanitizer.rebuild(read, Wish()))


async def started(sanitizer: Sanitizer) -> None:
    """Until the worker has its job."""
    while not sanitizer.workload()["busy"]:  # noqa: ASYNC110 -- nobody tells when
        await asyncio.sleep(0)
    await asyncio.sleep(0)


def pid_of(sanitizer: Sanitizer) -> int:
    pid = sanitizer._workers[0].pid
    assert pid is not None
    return pid


def slow_picture() -> bytes:
    """Takes a tenth of a second and more."""
    return jpeg(4000, 3000)


async def test_a_worker_that_is_killed_rejects_its_file_and_no_other(sanitizer: Sanitizer) -> None:
    first, second = asked(sanitizer, slow_picture()), asked(sanitizer, jpeg())
    await started(sanitizer)
    os.kill(pid_of(sanitizer), signal.SIGKILL)
    with pytest.raises(Rejected) as rejected:
        await first
    assert rejected.value.reason is Reason.CRASHED
    assert complaints((await second).image) == []


async def test_a_worker_that_dies_while_idle_rejects_nothing(sanitizer: Sanitizer) -> None:
    killed = pid_of(sanitizer)
    os.kill(killed, signal.SIGKILL)
    while Path(f"/proc/{killed}").exists():  # noqa: ASYNC110 -- nobody tells when
        await asyncio.sleep(0.01)
    assert (await asked(sanitizer, jpeg())).width == 96
    assert pid_of(sanitizer) != killed


async def test_a_worker_that_hangs_is_replaced_when_its_time_is_up() -> None:
    sanitizer = await Sanitizer.open(1, Limits(wall_seconds=0.3))
    await sanitizer.ready()
    os.kill(pid_of(sanitizer), signal.SIGSTOP)
    with pytest.raises(Rejected) as rejected:
        await asked(sanitizer, jpeg())
    assert rejected.value.reason is Reason.TOO_COSTLY
    await sanitizer.close()


async def test_processor_time_is_counted_by_the_kernel() -> None:
    sanitizer = await Sanitizer.open(1, Limits(cpu_seconds=0.02))
    with pytest.raises(Rejected) as rejected:
        await asked(sanitizer, slow_picture())
    assert (rejected.value.reason, rejected.value.detail) == (Reason.TOO_COSTLY, "processor time")
    assert (await asked(sanitizer, jpeg())).image_type is ImageType.JPEG
    await sanitizer.close()


@LINUX
async def test_memory_is_limited_and_what_needs_more_is_refused() -> None:
    sanitizer = await Sanitizer.open(1, Limits(memory_bytes=24 * MIB))
    with pytest.raises(Rejected) as rejected:
        await asked(sanitizer, png(4000, 3000))
    assert rejected.value.reason is Reason.TOO_COSTLY
    assert (await asked(sanitizer, png())).image_type is ImageType.PNG
    await sanitizer.close()


async def test_a_job_that_is_cancelled_leaves_no_answer_for_the_next(sanitizer: Sanitizer) -> None:
    first = asked(sanitizer, slow_picture())
    await started(sanitizer)
    first.cancel()
    assert (await asked(sanitizer, gif())).image_type is ImageType.GIF


async def test_whoever_comes_when_the_queue_is_full_is_told_to_come_again() -> None:
    sanitizer = await Sanitizer.open(1, Limits(queue=2))
    await sanitizer.ready()
    at_work = asked(sanitizer, slow_picture())
    await started(sanitizer)
    waiting = [asked(sanitizer, jpeg()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await asked(sanitizer, jpeg())
    assert len(await asyncio.gather(at_work, *waiting)) == 3
    await sanitizer.close()


async def test_a_file_is_read_only_when_a_worker_is_free(sanitizer: Sanitizer) -> None:
    read = []

    async def bring(number: int) -> bytes:
        read.append(number)
        return slow_picture()

    jobs = [asyncio.create_task(sanitizer.rebuild(partial(bring, number), Wish())) for number in range(3)]
    await jobs[0]
    assert len(read) <= 2
    await asyncio.gather(*jobs)


async def test_a_file_that_cannot_be_read_costs_no_worker(sanitizer: Sanitizer) -> None:
    async def missing() -> bytes:
        raise FileNotFoundError

    before = pid_of(sanitizer)
    with pytest.raises(FileNotFoundError):
        await sanitizer.rebuild(missing, Wish())
    assert (await asked(sanitizer, jpeg())).width == 96
    assert pid_of(sanitizer) == before


async def test_closing_gives_no_verdict_and_leaves_no_process() -> None:
    sanitizer = await Sanitizer.open(2)
    await asyncio.gather(*(worker.ready() for worker in sanitizer._workers))
    pids = [worker.pid for worker in sanitizer._workers]
    jobs = [asked(sanitizer, slow_picture()) for _ in range(5)]
    await started(sanitizer)
    await sanitizer.close()
    outcomes = [type(outcome) for outcome in await asyncio.gather(*jobs, return_exceptions=True)]
    assert set(outcomes) <= {Busy, Rebuilt}  # the first may have been done already
    assert outcomes[-1] is Busy
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    with pytest.raises(Busy):
        await asked(sanitizer, jpeg())


async def test_where_no_worker_can_start_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    sanitizer = await Sanitizer.open(1)
    with pytest.raises(NoWorker):
        await asked(sanitizer, jpeg())
    monkeypatch.undo()
    assert (await asked(sanitizer, jpeg())).width == 96
    await sanitizer.close()


PARENT = """
import asyncio, os
from talkwire.sanitation.service import Sanitizer
async def main():
    sanitizer = await Sanitizer.open(2)
    await asyncio.gather(*(worker.ready() for worker in sanitizer._workers))
    print(*(worker.pid for worker in sanitizer._workers), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_workers_die_with_their_server() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        pids = await asyncio.to_thread(server.stdout.readline)
        server.kill()
    until = time.monotonic() + 5
    while [pid for pid in pids.split() if _runs(pid)]:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


def _runs(pid: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


CAPTIVE = """
import ctypes, errno, json, os, socket, subprocess, sys, threading
from talkwire.sanitation import confinement
memory = confinement.Memory()
given_up = confinement.give_up(os.getppid())
given_up["memory"] = memory.limit(64 * 1024 * 1024)
def refused(act):
    try:
        act()
    except (OSError, MemoryError, RuntimeError) as error:
        return type(error).__name__
    return "allowed"
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
acts = {
    "read a file": lambda: open("/etc/passwd"),
    "write a file": lambda: open("/tmp/captive", "w"),
    "list a folder": lambda: os.listdir("/"),
    "make a folder": lambda: os.mkdir("/tmp/captive"),
    "remove a file": lambda: os.unlink("/tmp/captive"),
    "open a socket": lambda: socket.socket(),
    "open a local socket": lambda: socket.socket(socket.AF_UNIX),
    "start a program": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os.fork() or os._exit(0),
    "signal the parent": lambda: os.kill(os.getppid(), 0),
    "make memory executable": lambda: __import__("mmap").mmap(-1, 4096, prot=7),
    "take 1 GiB": lambda: bytearray(1 << 30),
}
found = {name: refused(act) for name, act in acts.items()}
thread = threading.Thread(target=lambda: found.update(thread="works"))
thread.start(); thread.join()
print(json.dumps([given_up, found]))
sys.stdout.flush()
os._exit(0)
"""


@LINUX
async def test_a_captive_reaches_nothing_but_its_pipe(sanitizer: Sanitizer) -> None:
    """Each way out, tried by a program that gave up what a worker gives up."""
    import json

    if not all(sanitizer.confinement().values()):
        pytest.skip(f"this kernel does not allow all of it: {sanitizer.confinement()}")
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CAPTIVE],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    given_up, found = json.loads(ran.stdout or "[{}, {}]") if ran.returncode == 0 else ({}, {ran.stderr: ""})
    assert all(given_up.values()), given_up
    assert found.pop("thread") == "works"
    assert {name: outcome for name, outcome in found.items() if outcome == "allowed"} == {}


@LINUX
async def test_a_worker_knows_nothing_of_the_servers_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TALKWIRE_MASTER_KEY", "secret")
    sanitizer = await Sanitizer.open(1)
    await sanitizer._workers[0].start()
    environment = Path(f"/proc/{pid_of(sanitizer)}/environ").read_bytes()
    assert b"secret" not in environment
    assert (await asked(sanitizer, jpeg())).width == 96
    await sanitizer.close()


async def test_no_worker_runs_before_there_is_something_to_do() -> None:
    sanitizer = await Sanitizer.open(2)
    assert sanitizer.workload()["workers"] == 0
    await asked(sanitizer, jpeg())
    assert sanitizer.workload()["workers"] == 1
    await sanitizer.close()
    assert sanitizer.workload()["workers"] == 0


async def test_what_was_done_is_counted(sanitizer: Sanitizer) -> None:
    await asked(sanitizer, jpeg())
    with pytest.raises(Rejected):
        await asked(sanitizer, png_header(65_500, 65_500))
    assert sanitizer.verdicts() == {"rebuilt": 1, "too big": 1}
    assert sanitizer.workload() == {"workers": 1, "busy": 0, "waiting": 0, "replaced": 0}


async def test_a_clients_preview_is_made_anew_whatever_it_is_called(sanitizer: Sanitizer) -> None:
    made = await sanitizer.rebuild_preview(png(800, 600), 30_000)
    assert made is not None
    data, image_type = made
    assert image_type is ImageType.JPEG
    assert complaints(data) == []
    assert len(data) < 30_000
    see_through = quarters().bandjoin(100).pngsave_buffer()
    assert (await sanitizer.rebuild_preview(see_through, 30_000) or (b"", None))[1] is ImageType.PNG
    assert await sanitizer.rebuild_preview(b"<svg/>", 30_000) is None
    assert await sanitizer.rebuild_preview(jpeg()[:400] + b"\xff\xd9", 30_000) is None
    assert await sanitizer.rebuild_preview(jpeg(), 100) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_to_every_process_of_the_service_rejects_no_file(
    sanitizer: Sanitizer, number: signal.Signals
) -> None:
    under_way, pid = asked(sanitizer, slow_picture()), pid_of(sanitizer)
    await started(sanitizer)
    os.kill(pid, number)
    assert (await under_way).width == 4000
    assert pid_of(sanitizer) == pid


async def test_a_start_that_failed_once_leaves_no_later_worker_less_confined(
    sanitizer: Sanitizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels, start = [], asyncio.create_subprocess_exec

    async def failing_once(*args: str, **options: Any) -> asyncio.subprocess.Process:
        levels.append(args[-1])
        if len(levels) == 1:
            raise BlockingIOError("no more processes")
        return await start(*args, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", failing_once)
    for _ in range(2):
        sanitizer._workers[0].condemn()
        await sanitizer.ready()
    assert levels == ["full", "limits", "full"]
