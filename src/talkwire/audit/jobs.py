"""What recurs for the audit trail."""

from datetime import timedelta

from talkwire.audit.anchors import Anchors
from talkwire.kernel.jobs import Job

ANCHOR_EVERY = timedelta(seconds=10)


def jobs(anchors: Anchors) -> list[Job]:
    """The end of every chain is kept with the keys, a few seconds behind."""
    return [Job("audit.anchor", run=anchors.keep, every=ANCHOR_EVERY)]
