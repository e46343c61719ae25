"""What the log forgets: idempotency keys after their day, and bells that everybody has heard."""

from datetime import timedelta

from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.clock import Clock
from talkwire.kernel.jobs import Job
from talkwire.messaging import store

CHANGES_KEPT = timedelta(days=1)
"""Whoever listens looks at least every few seconds; a day covers a node that was asleep."""


def jobs(database: Database, clock: Clock, idempotency_key_seconds: int) -> list[Job]:
    async def purge_keys() -> None:
        before_ms = clock.now_ms() - idempotency_key_seconds * 1000

        async def unit(tx: Transaction) -> None:
            await store.purge_idempotency_keys(tx, before_ms)

        await database.write(unit)

    async def purge_changes() -> None:
        before_ms = clock.now_ms() - int(CHANGES_KEPT.total_seconds() * 1000)

        async def unit(tx: Transaction) -> None:
            await store.purge_changes(tx, before_ms)

        await database.write(unit)

    return [
        Job(name="messaging.purge_idempotency_keys", run=purge_keys, every=timedelta(minutes=30)),
        Job(name="messaging.purge_changes", run=purge_changes, every=timedelta(minutes=30)),
    ]
