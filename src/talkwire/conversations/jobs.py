"""What conversations do by themselves, again and again."""

from datetime import timedelta

from talkwire.conversations.surveys import Surveys
from talkwire.kernel.jobs import Job

LONG = timedelta(minutes=30)


def jobs(surveys: Surveys) -> list[Job]:
    return [
        Job("conversations.end_surveys", run=surveys.end_overdue, every=timedelta(minutes=10), timeout=LONG)
    ]
