"""Bugs: logged once with an id, which is all the client is told."""

from typing import Protocol

import structlog

from talkwire.ops.logs import new_incident_id

log = structlog.get_logger()


class Count(Protocol):
    """What counts bugs: the metrics."""

    def incident(self) -> None: ...


class IncidentLog:
    """Where exceptions go that are not refusals."""

    def __init__(self, metrics: Count) -> None:
        self._metrics = metrics

    def record(self, error: BaseException, what: str) -> str:
        """Write it down; gives the id to answer with."""
        incident = new_incident_id()
        self._metrics.incident()
        log.error("incident", incident=incident, what=what, exc_info=error)
        return incident

    def task_failed(self, name: str, error: BaseException) -> None:
        """A background task died."""
        self.record(error, name)
