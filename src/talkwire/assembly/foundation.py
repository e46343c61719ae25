"""What every part of a node stands on: settings, clock, database, metrics, tasks."""

from dataclasses import dataclass

from talkwire.backends.database.port import Database
from talkwire.kernel.clock import Clock
from talkwire.kernel.tasks import Tasks
from talkwire.ops.incidents import IncidentLog
from talkwire.ops.metrics import Metrics
from talkwire.settings import Settings


@dataclass(frozen=True)
class Foundation:
    """What every part of a node stands on."""

    settings: Settings
    clock: Clock
    database: Database
    metrics: Metrics
    incidents: IncidentLog
    tasks: Tasks


async def open_database(settings: Settings) -> Database:
    """The database that the settings name, not migrated. Raises DatabaseInUse, Unavailable."""
    if settings.storage.database_url:
        from talkwire.backends.database.postgres import PostgresDatabase  # noqa: PLC0415 -- only where it is used

        storage = settings.storage
        return await PostgresDatabase.open(storage.database_url, storage.database_connections)
    from talkwire.backends.database.sqlite import SqliteDatabase  # noqa: PLC0415

    return await SqliteDatabase.open(settings.storage.data_path / "talkwire.db")
