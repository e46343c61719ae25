"""The TLS side of a listener: made once, and given a fresh certificate without a restart."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from talkwire.kernel.jobs import Job
from talkwire.ops.certificates import CertificateFiles, ensure_certificates, local_names, server_context

log = structlog.get_logger()


class Tls:
    """A certificate that renews itself (ours), or is read again when its file changes (the operator's)."""

    def __init__(self, certificate: Path, key: Path, own: CertificateFiles | None, names: list[str]) -> None:
        self.certificate, self.key = certificate, key
        self.own = own
        self._names = names
        self.read_at = certificate.stat().st_mtime_ns
        self.context: ssl.SSLContext = server_context(certificate, key)

    @classmethod
    def of_files(cls, certificate: str, key: str) -> "Tls":
        """Raises OSError, ssl.SSLError."""
        return cls(_place(certificate), _place(key), None, [])

    @classmethod
    def of_local_authority(cls, folder: Path, host: str) -> "Tls":
        names = local_names(host)
        own = ensure_certificates(folder, names, datetime.now(UTC))
        return cls(own.certificate, own.key, own, names)

    async def refresh(self) -> None:
        """Renew what is ours when it is due; take up what changed on disk. New connections see it."""
        if self.own is not None:
            ensure_certificates(self.own.folder, self._names, datetime.now(UTC))
        changed_at = self.certificate.stat().st_mtime_ns
        if changed_at != self.read_at:
            self.context.load_cert_chain(self.certificate, self.key)
            self.read_at = changed_at
            log.info("certificate read anew", file=str(self.certificate))

    def job(self) -> Job:
        return Job(name="ops.refresh_certificate", run=self.refresh, every=timedelta(hours=1))


def _place(file: str) -> Path:
    """Absolute: another process that reads it may stand in another folder."""
    return Path(file).expanduser().absolute()
