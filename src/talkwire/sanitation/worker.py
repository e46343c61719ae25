"""The child program: `python -m talkwire.sanitation.worker`, started by the pool, never imported by it.

It reads jobs from standard input and answers on standard output, one at a time. Before the first job it
gives up whatever it can (`confinement.py`). It ends when the pipe ends, when its parent dies, or when a job
uses up its time.
"""

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable

import msgspec

from talkwire.sanitation import wire
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.model import MIB, Limits, Reason, Rebuilt

_IN, _OUT = 0, 1
_READ_BYTES = 1024 * 1024
_SET_PIPE_BYTES = 1031  # F_SETPIPE_SZ, which only Linux has
_LEAST_SECONDS = 0.01  # none at all would be no limit

Rebuild = Callable[[wire.Job, bytes], Rebuilt]


def main(limits_json: str, parent: str, level: str) -> None:
    """Give up what is not needed, say so, and work until the pipe ends."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # systemd sends them to every process of a service: a picture half done would be rejected for good
        signal.signal(number, signal.SIG_IGN)
    limits = msgspec.json.decode(limits_json, type=Limits)
    try:
        given_up, rebuild = _open(limits, int(parent), full=level == "full")
    except Exception as error:  # noqa: BLE001 -- told to the pool, which logs it
        _send(wire.Hello(trouble=f"{type(error).__name__}: {error}"))
        return
    _send(wire.Hello(given_up))
    while (job := _receive()) is not None:
        _work(*job, limits, rebuild)


def _open(limits: Limits, parent: int, *, full: bool) -> tuple[dict[str, bool], Rebuild]:
    """Imports come first: afterwards no file can be read."""
    from talkwire.sanitation import confinement, pixels, rehearsal  # noqa: PLC0415

    def rebuild(job: wire.Job, data: bytes) -> Rebuilt:
        rebuild = pixels.rebuild_preview if job.preview_only else pixels.rebuild
        return rebuild(data, job.wish, limits, lambda header: _allow(limits, header.coded_bytes))

    for pipe in (_IN, _OUT):
        with contextlib.suppress(OSError):  # not a pipe, or more than this user may have
            fcntl.fcntl(pipe, _SET_PIPE_BYTES, _READ_BYTES)
    pixels.prepare()
    memory = confinement.Memory()
    given_up = confinement.give_up(parent, full=full)
    rehearsal.rehearse(limits)
    return given_up | {"memory": memory.limit(limits.memory_bytes)}, rebuild


def _work(job: wire.Job, data: bytes, limits: Limits, rebuild: Rebuild) -> None:
    _allow(limits, 0)  # until it is known how much of it is picture
    try:
        made = rebuild(job, data)
    except Rejected as refusal:
        signal.setitimer(signal.ITIMER_PROF, 0)
        worn = refusal.reason is Reason.TOO_COSTLY and refusal.__cause__ is not None
        _send(wire.Done(reason=refusal.reason, detail=refusal.detail[:1000], worn=worn))
    else:
        signal.setitimer(signal.ITIMER_PROF, 0)
        done = wire.Done(made.image_type, made.preview_type, made.width, made.height)
        _send(done, made.image, made.preview)


def _allow(limits: Limits, coded_bytes: int) -> None:
    """A bomb is small; a large picture may take longer. The kernel ends us when the time is up."""
    spent, _ = signal.getitimer(signal.ITIMER_PROF)
    spent = limits.cpu_seconds - spent if spent else 0
    left = limits.cpu_seconds * (1 + coded_bytes / MIB) - spent
    signal.setitimer(signal.ITIMER_PROF, max(left, _LEAST_SECONDS))


def _receive() -> tuple[wire.Job, bytes] | None:
    lengths = _read(wire.LENGTHS.size)
    if lengths is None:
        return None
    head_bytes, data_bytes, _ = wire.LENGTHS.unpack(lengths)
    head, data = _read(head_bytes), _read(data_bytes)
    if head is None or data is None:
        return None
    return msgspec.msgpack.decode(head, type=wire.Job), bytes(data)


def _read(size_bytes: int) -> bytearray | None:
    """Exactly so many bytes; None when the pipe ended."""
    buffer = bytearray(size_bytes)
    view, at = memoryview(buffer), 0
    while at < size_bytes:
        count = os.readv(_IN, [view[at : at + _READ_BYTES]])
        if not count:
            return None
        at += count
    return buffer


def _send(head: msgspec.Struct, first: bytes = b"", second: bytes = b"") -> None:
    for part in wire.frame(head, first, second):
        view = memoryview(part)
        while view:
            view = view[os.write(_OUT, view) :]


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)
