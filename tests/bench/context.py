"""What every figure is handed: how long to measure, where servers may put their data."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.ejabberd import Ejabberd
from bench.profile import profiled
from bench.server import Talkwire


@dataclass
class Bench:
    seconds: float
    folder: Path
    measured: dict[str, float]
    """Values of this run by figure, so that a later one can be told as a ratio."""
    profiles: Path | None = None
    """A folder for profiles of some figures; being looked at costs the server some of its speed."""

    @asynccontextmanager
    async def talkwire(self, name: str, **settings: str) -> AsyncIterator[Talkwire]:
        """A fresh node, stopped afterwards. `settings` as environment variables."""
        server = Talkwire(self.fresh_folder(name), **settings)
        try:
            await server.start()
            yield server
        except BaseException:
            sys.stderr.write(server.complaints())
            raise
        finally:
            await server.stop()

    @asynccontextmanager
    async def ejabberd(self, users: list[str], *, archive: bool) -> AsyncIterator[Ejabberd]:
        """A fresh ejabberd with these users. Raises NotInstalled."""
        server = Ejabberd(self.fresh_folder("ejabberd") / "run", archive=archive)
        try:
            await server.start(users)
            yield server
        finally:
            await server.stop()

    @asynccontextmanager
    async def watched(self, server: Talkwire, name: str) -> AsyncIterator[None]:
        """Profile the server meanwhile, if that is wanted."""
        if self.profiles is None:
            yield
        else:
            async with profiled(server.process.pid, self.seconds, self.profiles / f"{name}.txt"):
                yield

    def fresh_folder(self, name: str) -> Path:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        folder.chmod(0o755)  # PostgreSQL runs as somebody else below it
        return folder
