"""The storage process, as this node wants it: files' bytes beside the server, when they have a port of their own."""

from talkwire.assembly.files import FileRooms, limits_of
from talkwire.assembly.foundation import Foundation
from talkwire.ops.metrics import Metrics
from talkwire.storage.answering import Counter
from talkwire.storage.process import StorageProcess
from talkwire.storage.wire import Begin, Counted

PROGRAM = "talkwire.assembly.storage_process"


def storage_of(base: Foundation, files: FileRooms) -> StorageProcess:
    """Not started: that takes listening sockets."""
    settings, metrics = base.settings, base.metrics
    begin = Begin(
        files_folder=str(settings.storage.data_path / "files"),
        limits=limits_of(settings.files),
        tls_listeners=[],
        http_listeners=[],
        certificate="",
        certificate_key="",
        storage_host=settings.listen.storage_host,
        proxy_addresses=settings.listen.proxy_addresses,
        http_body_bytes=settings.listen.http_body_bytes,
        drain_seconds=settings.process.drain_seconds,
        log_level=settings.logs.log_level,
        log_format=settings.logs.log_format,
        log_requests=settings.logs.log_requests,
    )

    def counted(what: Counted) -> None:
        _count(metrics, what)

    counter = Counter(files.uploads, files.downloads, base.tasks, base.incidents, counted)
    process = StorageProcess(PROGRAM, begin, counter)
    metrics.watch(
        "storage_process_starts", "How often the process for files was started.", lambda: process.starts
    )
    return process


def _count(metrics: Metrics, what: Counted) -> None:
    for route, method, status, seconds in what.answers:
        metrics.http_answered(route, method, status, seconds)
    for status, size_bytes in what.uploads:
        metrics.upload_ended(status, size_bytes)
    for _ in range(what.incidents):
        metrics.incident()
