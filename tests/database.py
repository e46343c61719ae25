"""Databases for tests: `sqlite_database`, and `any_database`, which runs a test once per adapter.

PostgreSQL is a real server of Debian's package, started once per run in a folder of its own on a Unix socket;
each test gets a database of its own in it. Where it cannot be found its tests are skipped by name.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from talkwire.backends.database.port import Database
from talkwire.backends.database.postgres import PostgresDatabase
from talkwire.backends.database.sqlite import SqliteDatabase

ADAPTERS = ("sqlite", "postgres")


@dataclass(frozen=True)
class PostgresServer:
    """A server that lives in a folder."""

    programs: Path
    folder: Path

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs, as the user it insists on when we are root."""
        done = subprocess.run(
            [*_as_postgres(), str(self.programs / program), *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout.decode()}")

    def start(self) -> None:
        options = f"-c listen_addresses='' -k {self.folder} -c max_connections=60"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.data), "-l", log, "-o", options, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    @property
    def data(self) -> Path:
        return self.folder / "data"


def find_postgres() -> Path | None:
    """Where initdb and pg_ctl are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A new server, gone afterwards."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="talkwire-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = PostgresServer(programs, folder)
    try:
        server.run(
            "initdb", "-D", str(server.data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"
        )
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(RuntimeError):
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The run's PostgreSQL server."""
    with postgres_server() as server:
        yield server


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """An embedded database of this test's own, with the whole schema."""
    async with opened("sqlite", str(tmp_path / "talkwire.db")) as database:
        assert isinstance(database, SqliteDatabase)
        yield database


@pytest.fixture(params=ADAPTERS)
async def any_address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """An adapter's name and the address of an empty database for it."""
    if request.param == "sqlite":
        return "sqlite", str(tmp_path / "talkwire.db")
    return "postgres", await new_postgres_database(request.getfixturevalue("postgres"))


@pytest.fixture
async def any_database(any_address: tuple[str, str]) -> AsyncIterator[Database]:
    """A database of this test's own, once per adapter, with the whole schema."""
    async with opened(*any_address) as database:
        yield database


async def new_postgres_database(server: PostgresServer) -> str:
    """Make an empty database; returns its URL."""
    name = f"t{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server.url())
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return server.url(name)


@contextlib.asynccontextmanager
async def opened(adapter: str, address: str) -> AsyncIterator[Database]:
    """The database at an address, with the whole schema; closed afterwards."""
    database: Database
    if adapter == "sqlite":
        database = await SqliteDatabase.open(Path(address))
    else:
        database = await PostgresDatabase.open(address)
    try:
        await database.migrate()
        yield database
    finally:
        async with asyncio.timeout(20):
            await database.close()


def _as_postgres() -> list[str]:
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL refuses root, and there is no user postgres")
    return ["runuser", "-u", "postgres", "--"] if shutil.which("runuser") else [
        "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
    ]  # fmt: skip
