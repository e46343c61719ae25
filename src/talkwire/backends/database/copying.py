"""Copies of a database while it is in use, each as it stood at one moment; and questions to such a copy.

Not behind the port: a copy is made by another process than the one that holds the database.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_POSTGRES_PROGRAMS = Path("/usr/lib/postgresql")
_OPTIONS = {
    "host": "PGHOST",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
}


class CopyFailed(Exception):
    """The message is for the operator."""


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database that a server may be writing to. Raises CopyFailed."""
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, without a log beside it
    except sqlite3.Error as error:
        raise CopyFailed(f"{source.name} cannot be copied: {error}") from error
    target.chmod(0o600)


def is_sound(path: Path) -> bool:
    """Whether SQLite finds its own file whole."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as reading:
            return [row[0] for row in reading.execute("PRAGMA integrity_check")] == ["ok"]
    except sqlite3.Error:
        return False


def objects_in(path: Path) -> Iterator[str]:
    """The keys of all objects that a copied SQLite database speaks of, each once."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as reading:
        rows = reading.execute("SELECT DISTINCT object_key FROM files WHERE object_key <> ''")
        yield from (row[0] for row in rows)


def dump_postgres(url: str, target: Path) -> None:
    """Dump a PostgreSQL database in its own compressed format. Raises CopyFailed."""
    _run_postgres("pg_dump", url, "--format=custom", "--no-owner", f"--file={target}")
    target.chmod(0o600)


def load_postgres(source: Path, url: str) -> None:
    """Load a dump into an empty database. Raises CopyFailed."""
    name = _environment_of(url)["PGDATABASE"]
    _run_postgres("pg_restore", url, "--no-owner", "--exit-on-error", f"--dbname={name}", str(source))


def _run_postgres(program: str, url: str, *arguments: str) -> None:
    """The address goes by the environment: what stands in arguments, everybody on the machine can read."""
    found = shutil.which(program) or next(
        (str(path) for path in sorted(_POSTGRES_PROGRAMS.glob(f"*/bin/{program}"), reverse=True)), None
    )
    if found is None:
        raise CopyFailed(
            f"{program} is not installed (Debian: postgresql-client). Install it, or use your PostgreSQL's own"
            " backups, and back up the folders by themselves."
        )
    environment = {**os.environ, **_environment_of(url)}
    done = subprocess.run([found, *arguments], check=False, env=environment, capture_output=True)  # noqa: S603 -- found by us
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise CopyFailed(f"{program}: {said[-1] if said else 'failed'}")


def _environment_of(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    found = {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or ""),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
    }
    found |= {_OPTIONS[name]: value for name, value in parse_qsl(parts.query) if name in _OPTIONS}
    return {name: value for name, value in found.items() if value}
