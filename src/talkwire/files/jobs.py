"""What files does by itself, again and again."""

from datetime import timedelta

from talkwire.files.leftovers import Leftovers
from talkwire.files.retention import Retention
from talkwire.files.sweeping import Sweeping
from talkwire.kernel.jobs import Job

LONG = timedelta(minutes=30)


def jobs(retention: Retention, sweeping: Sweeping, leftovers: Leftovers) -> list[Job]:
    async def expire() -> None:
        await retention.expire()

    async def clear_orphans() -> None:
        try:
            await retention.finish()
        finally:
            await retention.clear_orphans()

    async def sweep() -> None:
        await sweeping.sweep_objects()
        await sweeping.sweep_keys()

    return [
        Job(name="files.expire", run=expire, every=timedelta(hours=1), timeout=LONG),
        Job(name="files.clear_orphans", run=clear_orphans, every=timedelta(minutes=10), timeout=LONG),
        Job(name="files.sweep_strays", run=sweep, every=timedelta(hours=6), timeout=LONG),
        Job(name="files.shred_leftovers", run=leftovers.clear, every=timedelta(minutes=1)),
    ]
