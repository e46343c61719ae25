"""What erasure does by itself."""

from datetime import timedelta

from talkwire.history.erasure_runs import ErasureRuns
from talkwire.kernel.jobs import Job


def jobs(runs: ErasureRuns) -> list[Job]:
    """What is due is carried out within seconds; looking costs one short query."""
    return [
        Job(
            "history.erase_due",
            run=runs.carry_out_due,
            every=timedelta(seconds=3),
            timeout=timedelta(hours=1),
        )
    ]
