"""What recurs for the audit trail."""

from datetime import timedelta

from talkwire.audit.anchors import Anchors
from talkwire.audit.service import Trail
from talkwire.kernel.jobs import Job

ANCHOR_EVERY = timedelta(seconds=10)
REFUSALS_EVERY = timedelta(seconds=10)


def jobs(anchors: Anchors, trail: Trail) -> list[Job]:
    """The end of every chain is kept with the keys, and held back refusals are told, a few seconds behind."""
    return [
        Job("audit.anchor", run=anchors.keep, every=ANCHOR_EVERY),
        Job("audit.refusals", run=trail.tell_refusals, every=REFUSALS_EVERY),
    ]
