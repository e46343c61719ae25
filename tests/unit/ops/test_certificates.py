import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from talkwire.ops.certificates import CertificateFiles, ensure_certificates, load_certificate, server_context
from talkwire.ops.tls import Tls

NOW = datetime(2024, 1, 2, tzinfo=UTC)
NAMES = ["localhost", "127.0.0.1", "::1", "chat.example.org"]


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return ensure_certificates(tmp_path / "tls", NAMES, NOW)


def leaf(files: CertificateFiles) -> x509.Certificate:
    certificate = load_certificate(files.certificate)
    assert certificate is not None
    return certificate


@pytest.mark.parametrize(
    "name", [x509.DNSName("localhost"), x509.DNSName("chat.example.org")], ids=lambda name: name.value
)
def test_a_client_that_trusts_the_authority_accepts_the_server(
    files: CertificateFiles, name: x509.DNSName
) -> None:
    authority = load_certificate(files.authority)
    assert authority is not None
    verifier = PolicyBuilder().store(Store([authority])).time(NOW).build_server_verifier(name)
    assert verifier.verify(leaf(files), [])


def test_the_certificate_is_what_strict_clients_ask_for(files: CertificateFiles) -> None:
    certificate = leaf(files)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=397)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]


def test_keys_are_for_nobody_else(files: CertificateFiles) -> None:
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert files.authority_key.stat().st_mode & 0o777 == 0o600


def test_a_second_start_changes_nothing(files: CertificateFiles) -> None:
    before = {path: path.read_bytes() for path in files.folder.iterdir()}
    ensure_certificates(files.folder, NAMES, NOW + timedelta(days=300))
    assert {path: path.read_bytes() for path in files.folder.iterdir()} == before


def test_a_certificate_that_ends_soon_is_renewed_by_the_same_authority(files: CertificateFiles) -> None:
    before, authority = leaf(files), files.authority.read_bytes()
    ensure_certificates(files.folder, NAMES, NOW + timedelta(days=370))
    assert leaf(files).not_valid_after_utc > before.not_valid_after_utc
    assert files.authority.read_bytes() == authority


def test_a_new_name_gets_a_new_certificate(files: CertificateFiles) -> None:
    ensure_certificates(files.folder, [*NAMES, "10.1.2.3"], NOW)
    names = leaf(files).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "10.1.2.3" in [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]


def test_an_authority_that_ends_is_replaced_with_what_it_signed(files: CertificateFiles) -> None:
    before = files.authority.read_bytes()
    ensure_certificates(files.folder, NAMES, NOW + timedelta(days=3600))
    assert files.authority.read_bytes() != before
    server_context(files.certificate, files.key)


def test_the_bundle_holds_our_authority_too(files: CertificateFiles) -> None:
    assert files.authority.read_bytes() in files.bundle.read_bytes()


async def test_a_certificate_that_changed_on_disk_is_read_anew(files: CertificateFiles) -> None:
    tls = Tls.of_files(str(files.certificate), str(files.key))
    read_at = tls.read_at
    await tls.refresh()
    assert tls.read_at == read_at
    os.utime(files.certificate, ns=(1, 1))
    await tls.refresh()
    assert tls.read_at == 1
