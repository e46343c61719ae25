"""An ejabberd of our own to compare with: its own folder, free ports on loopback, no service, gone afterwards.

Started as a bare Erlang program, so that it needs neither epmd nor the account that the Debian package makes. The
archive's PostgreSQL is likewise a cluster of our own, with its default durability (every commit is synced).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.process import Process, free_port, wait_for_port
from bench.waiting import wait_until

HOST = "bench.local"
PASSWORD = "bench"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
SCHEMA = Path("/usr/share/ejabberd/sql/pg.sql")

CONFIG = """
hosts: ["{host}"]
loglevel: error
auth_method: internal
auth_password_format: plain
{sql}
listen:
  - {{port: {c2s}, ip: "127.0.0.1", module: ejabberd_c2s, starttls: false, shaper: none, access: all,
      max_stanza_size: 262144}}
  - {{port: {http}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {{/upload: mod_http_upload}}}}
modules:
  mod_disco: {{}}
  mod_http_upload:
    docroot: "{folder}/upload"
    put_url: "http://127.0.0.1:{http}/upload"
    get_url: "http://127.0.0.1:{http}/upload"
    max_size: 10485760
    access: all
{archive}
"""
ARCHIVE = "  mod_mam: {db_type: sql, default: always, cache_size: 10000}"
SQL = """
sql_type: pgsql
sql_server: "127.0.0.1"
sql_port: {port}
sql_database: "bench"
sql_username: "bench"
sql_password: ""
sql_pool_size: 10
"""


class NotInstalled(Exception):
    """There is no ejabberd (or no PostgreSQL) on this machine; `apt-get install ejabberd erlang-p1-pgsql postgresql`."""


class Ejabberd:
    def __init__(self, folder: Path, *, archive: bool) -> None:
        self.folder = folder
        self.archive = archive
        self.c2s = free_port()
        self.http = free_port()
        self._database: Database | None = None
        self._process: Process | None = None

    async def start(self, users: Sequence[str]) -> None:
        """Bring it up with `users` registered. Raises NotInstalled, StartFailed."""
        if not shutil.which("erl") or not list(Path(LIBRARIES).glob("ejabberd-*")):
            raise NotInstalled("ejabberd")
        self.folder.mkdir(parents=True)
        sql = ""
        if self.archive:
            self._database = Database(self.folder / "postgres")
            sql = SQL.format(port=await self._database.start())
        config = self.folder / "ejabberd.yml"
        archive = ARCHIVE if self.archive else ""
        config.write_text(
            CONFIG.format(
                host=HOST, c2s=self.c2s, http=self.http, folder=self.folder, sql=sql, archive=archive
            )
        )
        self._process = Process(self._command(users), self.folder / "erl.log", self._environment(config))
        await wait_for_port(self._process, self.c2s)
        await wait_until((self.folder / "ready").exists, seconds=30)

    def _command(self, users: Sequence[str]) -> list[str]:
        names = ",".join(f'<<"{user}">>' for user in users)
        register = (
            f'[{{ok,_}} = {{ok,ejabberd_auth:try_register(U, <<"{HOST}">>, <<"{PASSWORD}">>)}} || U <- [{names}]], '
            f'file:write_file("{self.folder}/ready", <<"ready">>).'
        )
        erl = ["erl", "+K", "true", "+P", "250000", "-noinput", "-mnesia", "dir", f'"{self.folder}/mnesia"']
        return [*erl, "-s", "ejabberd", "-eval", register]

    def _environment(self, config: Path) -> dict[str, str]:
        return {
            "ERL_LIBS": LIBRARIES,
            "EJABBERD_CONFIG_PATH": str(config),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "HOME": str(self.folder),
        }

    def cpu_seconds(self) -> float:
        """Return the processor time of the Erlang machine and of PostgreSQL behind it."""
        database = self._database.process.cpu_seconds() if self._database and self._database.process else 0.0
        return database + (self._process.cpu_seconds() if self._process else 0.0)

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop()
        if self._database is not None:
            await self._database.stop()


class Database:
    """A PostgreSQL cluster with ejabberd's schema. PostgreSQL refuses to run as root, so root lends it an account."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: Process | None = None

    async def start(self) -> int:
        """Bring it up; return its port."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found or not SCHEMA.exists():
            raise NotInstalled("postgresql")
        binaries = found[-1].parent
        self.folder.mkdir(parents=True)
        borrowed = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        )
        if borrowed:
            shutil.chown(self.folder, "postgres", "postgres")
        data = str(self.folder / "data")
        initdb = [
            *borrowed,
            str(binaries / "initdb"),
            "-U",
            "bench",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            data,
        ]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/")
        port = free_port()
        log = self.folder.parent / "postgres.log"
        options = ["-p", str(port), "-h", "127.0.0.1", "-k", ""]
        self.process = Process([*borrowed, str(binaries / "postgres"), "-D", data, *options], log)
        await wait_for_port(self.process, port)
        await self._load_schema(port)
        return port

    async def _load_schema(self, port: int) -> None:
        psql = ["psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-v", "ON_ERROR_STOP=1"]
        for tail in (["-d", "postgres", "-c", "CREATE DATABASE bench"], ["-d", "bench", "-f", str(SCHEMA)]):
            for attempt in range(50):  # the port is open a moment before the cluster takes connections
                done = subprocess.run([*psql, *tail], capture_output=True, check=False)
                if done.returncode == 0:
                    break
                if attempt == 49:
                    raise NotInstalled(done.stderr.decode())
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        if self.process is not None:
            await self.process.stop(signal.SIGINT)
