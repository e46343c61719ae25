"""What routing does now and then."""

from datetime import timedelta

from talkwire.backends.database.port import Database
from talkwire.kernel.clock import Clock
from talkwire.kernel.jobs import Job
from talkwire.routing import store

RING_HISTORY = timedelta(days=30)


def jobs(database: Database, clock: Clock) -> list[Job]:
    """Old rings are forgotten; offers and expiries are `Routing.run`'s, they cannot wait for a job."""

    async def purge_rings() -> None:
        kept_ms = int(RING_HISTORY.total_seconds() * 1000)
        await store.purge_rings(database, clock.now_ms() - kept_ms)

    return [Job(name="routing.purge_rings", run=purge_rings, every=timedelta(hours=6))]
