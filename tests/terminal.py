"""A program in a terminal of its own, as a person has it in front of them."""

import asyncio
import contextlib
import os
import pty
import re
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """What the program shows, without colours, and a keyboard."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self.shown = ""
        self._screen = screen
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(screen, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # the program has ended, and its side of the terminal with it
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._screen)
        self.shown = CONTROL.sub("", self.shown + data.decode(errors="replace"))
        self._news.set()

    def type(self, line: str) -> None:
        os.write(self._screen, line.encode() + b"\n")

    async def shows(self, pattern: str, *, patience: float = 10) -> re.Match[str]:
        """Wait until the pattern is on the screen, wherever."""
        try:
            async with asyncio.timeout(patience):
                while not (match := re.search(pattern, self.shown)):
                    self._news.clear()
                    await self._news.wait()
                return match
        except TimeoutError:
            raise AssertionError(f"no {pattern!r} on the screen:\n{self.shown}") from None


@asynccontextmanager
async def terminal(command: Sequence[str | Path], *, env: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """Run the command in a terminal, and end it with the block."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.to_thread(process.wait)
        os.close(ours)
