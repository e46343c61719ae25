"""A local certificate authority and the server's certificate, made on first start and renewed by themselves.

For a laptop and for tests: whoever has a certificate of their own sets `tls_cert_file` and `tls_key_file`.
The authority is told to nobody's system: clients are pointed at it by `demo.env`.
"""

import contextlib
import ipaddress
import os
import socket
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
CERTIFICATE_LIFE = timedelta(days=397)  # what clients accept at most
RENEW_BEFORE = timedelta(days=30)
BACKDATED = timedelta(hours=1)  # a client's clock may be behind


@dataclass(frozen=True)
class CertificateFiles:
    """Where the PEM files lie: the authority (alone, and with the system's), the server's chain and its key."""

    folder: Path

    @property
    def authority(self) -> Path:
        """For NODE_EXTRA_CA_CERTS, which adds to what Node trusts anyway."""
        return self.folder / "authority.pem"

    @property
    def bundle(self) -> Path:
        """For CURL_CA_BUNDLE and SSL_CERT_FILE, which replace what is trusted."""
        return self.folder / "bundle.pem"

    @property
    def authority_key(self) -> Path:
        return self.folder / "authority-key.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        return self.folder / "server-key.pem"


def ensure_certificates(folder: Path, names: Sequence[str], now: datetime) -> CertificateFiles:
    """Have files in `folder` that serve `names` (host names and addresses) for a month at least.

    What is there and good is kept, so a client that trusts the authority goes on trusting it.
    """
    files = CertificateFiles(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = load_certificate(files.authority)
    if (
        authority is None
        or not files.authority_key.exists()
        or authority.not_valid_after_utc - now < CERTIFICATE_LIFE + RENEW_BEFORE
    ):
        _make_authority(files, now)
        files.certificate.unlink(missing_ok=True)
    if not _serves(files, names, now):
        _make_certificate(files, names, now)
    _write(files.bundle, _system_roots() + files.authority.read_bytes(), 0o644)
    return files


def local_names(host: str) -> list[str]:
    """What a local server may be called by: itself, the machine, and what it was told to listen on."""
    names = ["localhost", "127.0.0.1", "::1"]
    if host not in {"", "0.0.0.0", "::"}:  # noqa: S104 -- compared, not listened on
        names.append(host)
    with contextlib.suppress(OSError):
        names.append(socket.gethostname())
    return list(dict.fromkeys(name for name in names if name))


def load_certificate(path: Path) -> x509.Certificate | None:
    """The first certificate of a PEM file; None when there is none to read."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A TLS 1.2+ context for a listener. Raises OSError or ssl.SSLError when the files are no pair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _serves(files: CertificateFiles, names: Sequence[str], now: datetime) -> bool:
    """Whether the certificate there is ours, covers the names and lasts."""
    certificate, authority = load_certificate(files.certificate), load_certificate(files.authority)
    if certificate is None or authority is None or not files.key.exists():
        return False
    if certificate.not_valid_after_utc - now < RENEW_BEFORE or certificate.issuer != authority.subject:
        return False
    covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return all(_general_name(name) in covered for name in names)


def _make_authority(files: CertificateFiles, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "talkwire"),
            # the number tells two authorities apart, so that a stale one is not taken for ours
            x509.NameAttribute(NameOID.COMMON_NAME, f"talkwire local authority {serial % 10**8:08d}"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(files.authority_key, _pem_of_key(key), 0o600)
    _write(files.authority, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _make_certificate(files: CertificateFiles, names: Sequence[str], now: datetime) -> None:
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    authority_key = serialization.load_pem_private_key(files.authority_key.read_bytes(), password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "talkwire")])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(subject, authority.subject, key.public_key(), now, CERTIFICATE_LIFE)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(files.key, _pem_of_key(key), 0o600)
    _write(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        not_valid_before=now - BACKDATED,
        not_valid_after=now - BACKDATED + life,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _system_roots() -> bytes:
    """What OpenSSL trusts on this machine, as PEM; empty where it has no file.

    Asked at its default place, not at `SSL_CERT_FILE`: that may be the very bundle we write.
    """
    path = ssl.get_default_verify_paths().openssl_cafile
    for candidate in (path, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"):
        with contextlib.suppress(OSError):
            return Path(candidate).read_bytes().rstrip() + b"\n"
    return b""


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write aside, then rename: a reader sees the old file or the new one. Unchanged files are left alone."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content and path.stat().st_mode & 0o777 == mode:
            return
    number, aside = tempfile.mkstemp(dir=path.parent, prefix=".aside-")  # 0600 from the start
    with os.fdopen(number, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
    Path(aside).replace(path)
