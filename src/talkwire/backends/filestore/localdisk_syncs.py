"""Syncs without a thread: the kernel is asked, goes on by itself, and rings when it is done.

A thread that syncs comes back for the interpreter's lock after each step, just when the loop wants it; with some
hundred files a second that was a seventh of all time (docs/decisions/0030). Linux has had this since 4.18 (AIO,
`IOCB_CMD_FSYNC`); where it is lacking, or has no room left, threads do it as before.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caio.abstract import AbstractOperation
    from caio.linux_aio import Context

MOST = 512
"""Under way at once; the system shares 65,536 among all of its processes."""

_NEGATIVE_FROM = 1 << 63
_NEGATIVE_BY = 1 << 64


class KernelSyncs:
    """Made with `open`, on the loop that will use it."""

    def __init__(self, context: "Context", fsync: Callable[[int], "AbstractOperation"]) -> None:
        self._context = context
        self._fsync = fsync
        self._loop = asyncio.get_running_loop()
        self._under_way = 0
        self._loop.add_reader(context.fileno, self._came)

    @classmethod
    def open(cls) -> "KernelSyncs | None":
        """None where the system cannot."""
        if not sys.platform.startswith("linux"):
            return None
        try:
            # It looks at the system when it is imported: for the process that syncs, not for all.
            from caio.linux_aio import Context, Operation  # noqa: PLC0415

            return cls(Context(max_requests=MOST), Operation.fsync)
        except (ImportError, OSError, SystemError):  # not built here, an old kernel, a sandbox, no room
            return None

    def begin(self, *descriptors: int) -> "asyncio.Future[None] | None":
        """Done when all of them are on the disk; raises OSError. None when a thread has to do it.

        What was closed meanwhile is synced nevertheless.
        """
        if self._under_way + len(descriptors) > MOST:
            return None
        both = _Several(self._loop.create_future(), len(descriptors))
        operations = [self._fsync(descriptor) for descriptor in descriptors]
        for operation in operations:
            operation.set_callback(both.one_came)
        try:
            taken = self._context.submit(*operations)
        except Exception:  # noqa: BLE001 -- of many classes; whatever it was, a thread meets it again and tells it
            return None
        self._under_way += taken
        return both.done if taken == len(descriptors) else None

    def close(self) -> None:
        """When nothing is under way any more."""
        self._loop.remove_reader(self._context.fileno)

    def _came(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._context.poll()
        while came := self._context.process_events():
            self._under_way -= came


class _Several:
    """Waits for some, and keeps the first error."""

    __slots__ = ("_error", "_left", "done")

    def __init__(self, done: "asyncio.Future[None]", count: int) -> None:
        self.done = done
        self._left = count
        self._error = 0

    def one_came(self, result: int) -> Any:
        """Told as the kernel's number, read without its sign."""
        if result >= _NEGATIVE_FROM:
            self._error = self._error or _NEGATIVE_BY - result
        self._left -= 1
        if self._left or self.done.done():  # whoever waited may have gone
            return
        if self._error:
            self.done.set_exception(OSError(self._error, os.strerror(self._error)))
        else:
            self.done.set_result(None)
