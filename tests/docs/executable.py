"""Documents that run: their `sh` blocks, in order, in one shell; the `output` block after one is what it prints.

In an `output` block `…` stands for any characters within a line. Other blocks (`text`, `json`) are only read.
"""

import asyncio
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One `sh` block: the line it starts on, what to type, and what must be printed (None: anything)."""

    line: int
    script: str
    output: str | None = None


def steps(document: str) -> list[Step]:
    """The steps of a document. Raises ValueError for an `output` block that follows no `sh` block."""
    found: list[Step] = []
    before = ""
    for fence in FENCE.finditer(document):
        language, body = fence.groups()
        line = document.count("\n", 0, fence.start()) + 2
        if language == "sh":
            found.append(Step(line, body))
        elif language == "output":
            if before != "sh":
                raise ValueError(f"line {line}: an output block without a command")
            found[-1] = Step(found[-1].line, found[-1].script, body)
        before = language
    return found


def matches(printed: str, wanted: str) -> bool:
    """Whether this was printed, blanks at the ends of lines aside."""
    parts = (re.escape(part) for part in _trimmed(wanted).split("…"))
    return re.fullmatch("[^\n]*?".join(parts), _trimmed(printed)) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


class Shell:
    """A bash that lasts for the whole document, so that variables, functions and sockets stay."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process, self._folder = process, folder

    @classmethod
    async def start(cls, folder: Path) -> "Shell":
        """One without anybody's habits, in `folder`; what it makes for the moment is there, too."""
        with (folder / "stderr").open("wb") as complaints:
            process = await asyncio.create_subprocess_exec(
                "bash", "--noprofile", "--norc", cwd=folder, stderr=complaints, start_new_session=True,
                env={**os.environ, "TMPDIR": str(folder)},
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
        return cls(process, folder)

    async def run(self, script: str, *, patience: float) -> tuple[str, int]:
        """Run it; what it printed, and its exit status. Raises TimeoutError with what it printed so far."""
        assert self._process.stdin
        assert self._process.stdout
        marker, file = uuid4().hex, self._folder / "step.sh"
        file.write_text(script)
        self._process.stdin.write(f". {file} </dev/null; printf '\\n{marker} %s\\n' $?\n".encode())
        printed = b""
        try:
            async with asyncio.timeout(patience):
                while not (end := re.search(rb"\n%b (\d+)\n" % marker.encode(), printed)):
                    chunk = await self._process.stdout.read(65536)
                    if not chunk:
                        raise EOFError(f"the shell has gone; it printed:\n{printed.decode()}")
                    printed += chunk
        except TimeoutError:
            raise TimeoutError(f"still busy after {patience} s; it printed:\n{printed.decode()}") from None
        return printed[: end.start()].decode(), int(end[1])

    @property
    def complaints(self) -> str:
        """What went to standard error so far."""
        return (self._folder / "stderr").read_text(errors="replace")

    async def end(self) -> None:
        """Hang up; what it left in the background goes with it."""
        os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
