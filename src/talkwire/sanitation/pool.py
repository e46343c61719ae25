"""Worker processes from the server's side: started, spoken to, ended. A worker is never trusted."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import TypeVar

import msgspec

from talkwire.sanitation import wire
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.model import Limits, Reason

_START_SECONDS = 30.0
_DYING_SECONDS = 1.0
_PIPE_BYTES = 4 * 1024 * 1024
_JOBS = 10_000
"""A worker is replaced after so many, whatever its libraries may have leaked."""

_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "VIPS_CONCURRENCY": "1",
    "VIPS_WARNING": "0",
    # Memory is limited: none is reserved, and what one picture had is given back before the next. Without
    # these the threshold rises, and freed pixels leave holes that count.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
}
"""All that a worker is told of where it runs; secrets in the server's own stay there."""

Head = TypeVar("Head", bound=msgspec.Struct)


class WorkerFailed(Exception):
    """It could not start."""


class Worker:
    """One child process at a time, and the jobs it did. Not for two jobs at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: Process | None = None
        self._dying: list[Process] = []
        self._jobs = 0
        self._greeted = False
        self._level = "full"
        self.confinement: dict[str, bool] = {}
        self.starts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Begin a process; `ready` waits until it can work. Raises OSError."""
        self.condemn()
        self._jobs, self._greeted = 0, False
        self.starts += 1
        limits = msgspec.json.encode(self._limits).decode()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "talkwire.sanitation.worker", limits, str(os.getpid()), self._level,
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd="/", start_new_session=True, limit=_PIPE_BYTES,
            env=_ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip

    async def ready(self) -> None:
        """Have a process that can work: start one when there is none, and hear its hello.

        Raises WorkerFailed.
        """
        trouble = await self._come_up()
        if (
            trouble
        ):  # perhaps it was forbidden what its libraries need here; or it was the moment: only this once
            self._level = "limits"
            try:
                trouble = await self._come_up()
            finally:
                self._level = "full"
        if trouble:
            raise WorkerFailed(trouble)

    async def _come_up(self) -> str:
        """What kept it from starting; empty when it is ready."""
        try:
            if self._process is None or _has_ended(self._process) or self._jobs >= _JOBS:
                await self.start()
            if not self._greeted:
                async with asyncio.timeout(_START_SECONDS):
                    hello, _, _ = await self._receive(wire.Hello, 0)
                if hello.trouble:
                    self.condemn()
                    return hello.trouble
                self._greeted, self.confinement = True, hello.confinement
        except (TimeoutError, OSError, EOFError, msgspec.MsgspecError) as error:
            self.condemn()
            return f"{type(error).__name__}: {error}"
        return ""

    async def do(self, job: wire.Job, data: bytes) -> tuple[wire.Done, bytes, bytes]:
        """Hand a job over and wait for what comes of it. The worker must be ready.

        Raises Rejected, also when the worker dies of the job or has to be ended.
        """
        self._jobs += 1
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                self._send(job, data)
                done, image, preview = await self._receive(wire.Done, self._limits.output_bytes)
        except TimeoutError:
            self.condemn()
            raise Rejected(Reason.TOO_COSTLY, f"more than {self._limits.wall_seconds} s") from None
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            raise _verdict(await self._exit_code(), error) from error
        except BaseException:  # cancelled in the middle of a frame: nobody can say what would come next
            self.condemn()
            raise
        if done.worn:
            self.condemn()
        if done.reason is not None:
            raise Rejected(done.reason, done.detail)
        return done, image, preview

    def _send(self, head: msgspec.Struct, data: bytes) -> None:
        """Leave everything to the pipe: the worker reads all before it answers."""
        assert self._process is not None
        assert self._process.stdin is not None
        lengths_and_head, body, _ = wire.frame(head, data)
        self._process.stdin.write(lengths_and_head)
        self._process.stdin.write(body)

    async def _receive(self, head_type: type[Head], max_bytes: int) -> tuple[Head, bytes, bytes]:
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout
        lengths = wire.LENGTHS.unpack(await pipe.readexactly(wire.LENGTHS.size))
        if lengths[0] > wire.HEAD_BYTES or lengths[1] > max_bytes or lengths[2] > max_bytes:
            raise EOFError(f"lengths {lengths}")
        head = msgspec.msgpack.decode(await pipe.readexactly(lengths[0]), type=head_type)
        return head, await pipe.readexactly(lengths[1]), await pipe.readexactly(lengths[2])

    async def _exit_code(self) -> int:
        """Of a process that broke off (negative: the signal that ended it)."""
        process, code = self._process, 0
        if process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DYING_SECONDS):
                    code = await process.wait()
        self.condemn()
        return code

    def condemn(self) -> None:
        """End the process now; the loop reaps it. The next `ready` starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        self._dying = [old for old in self._dying if old.returncode is None] + [process]

    async def close(self) -> None:
        """End the process, and see that none is left."""
        self.condemn()
        for process in self._dying:
            await process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    await process.stdin.wait_closed()
        await asyncio.sleep(0)  # the other end of its pipe is closed in the next turn


def _has_ended(process: Process) -> bool:
    """Asked of the kernel: the loop hears of it a moment later, and a file would be lost to it."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS
        return False
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # reaped already
        return True


_TIME_IS_UP = {-signal.SIGPROF, -signal.SIGXCPU}
_OUT_OF_MEMORY = {-signal.SIGTRAP, -signal.SIGABRT}  # how GLib and C++ end when there is none


def _verdict(exit_code: int, error: Exception) -> Rejected:
    """What the death of a worker says of the file it had."""
    if exit_code in _TIME_IS_UP:
        return Rejected(Reason.TOO_COSTLY, "processor time")
    if exit_code in _OUT_OF_MEMORY:
        return Rejected(Reason.TOO_COSTLY, f"memory, says exit code {exit_code}")
    return Rejected(Reason.CRASHED, f"exit code {exit_code}: {error}")
