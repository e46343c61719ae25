"""The scanner that the settings name, with the gauge and the job that watch it."""

from datetime import timedelta

from talkwire.backends.scanner.clamd import Clamd, ClamdAddress
from talkwire.backends.scanner.watched import WatchedScanner
from talkwire.kernel.jobs import Job
from talkwire.ops.metrics import Metrics
from talkwire.settings import Scanner as ScannerSettings

PING_EVERY = timedelta(seconds=15)


def scanner_of(settings: ScannerSettings) -> WatchedScanner | None:
    """None when no scanner is configured: there is nothing that could be down then."""
    if not settings.clamd:
        return None
    address = ClamdAddress.parse(settings.clamd)
    return WatchedScanner(Clamd(address, scans=settings.clamd_scans, scan_seconds=settings.clamd_seconds))


def watch_scanner(scanner: WatchedScanner | None, metrics: Metrics) -> list[Job]:
    """A quiet server hears of a scanner that went away, too: it is asked now and then."""
    if scanner is None:
        return []
    metrics.watch(
        "scanner_up",
        "Whether the malware scanner answered when it was last asked. 0 is an alarm: files wait, none is served.",
        lambda: float(scanner.is_up),
    )
    return [Job("scanner.ping", run=scanner.ping, every=PING_EVERY)]
