"""What Prometheus reads at `/metrics`. Rooms do not import this: assembly hands them the bound methods.

The hot path pays once per batch or per socket, never per event; what a room counts anyway is read at
scrape time (`watch`).
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

SWITCHING_PROTOCOLS = 101

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the lines for what the process's start time says

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_COMMIT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5)
_ANSWER_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60)


class Metrics:
    """One registry per node, so that two nodes in one process (tests) do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        own = self._registry
        self._sockets = Gauge("talkwire_sockets", "Open sockets.", ["role"], registry=own)
        self._socket_closes = Counter(
            "talkwire_socket_closes", "Sockets closed, by close code.", ["role", "code"], registry=own
        )
        self._outbox_closes = Counter(
            "talkwire_outbox_closes", "Sockets closed because their client did not read.", registry=own
        )
        self._events = Counter(
            "talkwire_events_appended",
            "Events made durable; a file's publication, a unit of work, aside.",
            registry=own,
        )
        self._batches = Histogram(
            "talkwire_batch_events", "Events in one commit.", buckets=_BATCH_SIZES, registry=own
        )
        self._commits = Histogram(
            "talkwire_commit_seconds", "One commit, fsync included.", buckets=_COMMIT_SECONDS, registry=own
        )
        self._uploads = Counter(
            "talkwire_uploads", "Uploads that ended, by status.", ["status"], registry=own
        )
        self._upload_bytes = Counter("talkwire_upload_bytes", "Bytes that uploads brought.", registry=own)
        self._answers = Counter(
            "talkwire_http_answers", "HTTP answers.", ["route", "method", "status"], registry=own
        )
        self._answer_seconds = Histogram(
            "talkwire_http_seconds",
            "From request to answer.",
            ["route"],
            buckets=_ANSWER_SECONDS,
            registry=own,
        )
        self._webhooks = Counter(
            "talkwire_webhooks", "Deliveries, by how they went.", ["result"], registry=own
        )
        self._webhook_ages = Histogram(
            "talkwire_webhook_age_seconds",
            "From the event to its delivery.",
            buckets=_ANSWER_SECONDS,
            registry=own,
        )
        self._jobs = Counter("talkwire_jobs", "Runs of jobs.", ["job", "result"], registry=own)
        self._incidents = Counter("talkwire_incidents", "Answers with an incident id: bugs.", registry=own)

    def socket_opened(self, role: str) -> None:
        """`role` is "consumer" or "brand"."""
        self._sockets.labels(role).inc()

    def socket_closed(self, role: str, code: int) -> None:
        self._sockets.labels(role).dec()
        self._socket_closes.labels(role, str(code)).inc()

    def outbox_overran(self) -> None:
        self._outbox_closes.inc()

    def batch_committed(self, events: int, seconds: float) -> None:
        """After each commit of the database's writer; `events` may be 0. Safe on any thread."""
        if events:
            self._events.inc(events)
            self._batches.observe(events)
        self._commits.observe(seconds)

    def upload_ended(self, status: int, size_bytes: int) -> None:
        """`status` is the answer's: 201 stored, 401 not allowed, 408 slow, 413 too large, 507 disk full."""
        self._uploads.labels(str(status)).inc()
        self._upload_bytes.inc(size_bytes)

    def http_answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """`route` is the pattern (`/api/account/{account_id}/login`), never the path."""
        self._answers.labels(route, method, str(status)).inc()
        if status != SWITCHING_PROTOCOLS:  # a socket's life says nothing about answers
            self._answer_seconds.labels(route).observe(seconds)

    def webhook_went(self, result: str, age_seconds: float) -> None:
        """`result` is "delivered", "failed" (an attempt) or "dead"."""
        self._webhooks.labels(result).inc()
        if result == "delivered":
            self._webhook_ages.observe(age_seconds)

    def job_ran(self, name: str, result: str, seconds: float) -> None:
        """What `Worker` takes as `observe`."""
        self._jobs.labels(name, result).inc()

    def incident(self) -> None:
        self._incidents.inc()

    def watch(self, name: str, help_text: str, read: Callable[[], float | Mapping[str, float]]) -> None:
        """Read a gauge when asked: one number, or one per label value (label `kind`)."""
        self._registry.register(_Watched(f"talkwire_{name}", help_text, read))

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self._registry)


class _Watched(Collector):
    def __init__(self, name: str, help_text: str, read: Callable[[], float | Mapping[str, float]]) -> None:
        self._name, self._help, self._read = name, help_text, read

    def collect(self) -> Iterable[Metric]:
        value = self._read()
        if isinstance(value, Mapping):
            family = GaugeMetricFamily(self._name, self._help, labels=["kind"])
            for kind, number in value.items():
                family.add_metric([kind], number)
            return [family]
        return [GaugeMetricFamily(self._name, self._help, value=value)]
