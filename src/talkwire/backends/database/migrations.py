"""The numbered, forward-only schema changes, and the unit of work that applies them.

A file `migrations/NNNN_topic.sql` holds statements that SQLite and PostgreSQL share, ended by `;` (which
therefore may not stand inside a literal). What they do not share is a word that the adapter fills in:
`{identity}`, a growing integer primary key, and `{clustered}`, rows kept in the order of the primary key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from talkwire.backends.database.port import SchemaTooNew, Transaction

_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_migrations"
    " (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
)
APPLIED = "SELECT number FROM schema_migrations"


@dataclass(frozen=True)
class Migration:
    """One file."""

    number: int
    name: str
    statements: tuple[str, ...]


def list_migrations(words: Mapping[str, str], package: str = "talkwire.backends.database") -> list[Migration]:
    """All files of a package in order, in one database's words (`identity`, `clustered`, `BYTEA`)."""
    folder = resources.files(package) / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    return [_parse(file.name, file.read_text(encoding="utf-8"), words) for file in files]


def check_known(applied: set[int], migrations: list[Migration]) -> None:
    """Refuse a database that a newer version has changed. Raises SchemaTooNew."""
    ahead = applied - {migration.number for migration in migrations}
    if ahead:
        raise SchemaTooNew(f"The database has schema {max(ahead)}, which this version does not know.")


async def bring_forward(tx: Transaction, migrations: list[Migration], now_ms: int) -> list[str]:
    """Apply what is missing; returns the names of what was applied. Raises SchemaTooNew."""
    await tx.execute(_TABLE)
    applied = {row["number"] for row in await tx.fetch(APPLIED)}
    check_known(applied, migrations)
    missing = [migration for migration in migrations if migration.number not in applied]
    for migration in missing:
        for statement in migration.statements:
            await tx.execute(statement)
        await tx.execute(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            now_ms,
        )
    return [migration.name for migration in missing]


def _parse(file_name: str, text: str, words: Mapping[str, str]) -> Migration:
    name = file_name.removesuffix(".sql")
    bare = "\n".join(line.split("--")[0] for line in text.splitlines())
    for word, meaning in words.items():
        bare = bare.replace(word, meaning)
    statements = tuple(part.strip() for part in bare.split(";") if part.strip())
    return Migration(number=int(name.split("_")[0]), name=name, statements=statements)
