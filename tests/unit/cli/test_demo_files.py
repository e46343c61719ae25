import subprocess
from pathlib import Path

import pytest

from talkwire.cli.demo_book import encode_book, new_book, read_book
from talkwire.cli.demo_env import SERVICE_VARIABLES, render, variables, write_aside
from talkwire.cli.failures import CannotStart
from talkwire.ops.certificates import CertificateFiles
from talkwire.settings import Listen

PROMISED = {
    "LP_ACCOUNT", "LP_CSDS", "LP_ASYNCMESSAGINGENT", "LP_AGENTVEP", "LP_IDP", "LP_SENTINEL", "LP_SWIFT",
    "LP_ACCOUNTCONFIGREADWRITE", "LP_ACCOUNTCONFIGREADONLY", "LP_MSGHIST", "LP_RTBF", "LP_USER", "LP_PASS",
    "LP_AGENT_USER", "LP_AGENT_PASS", "LP_BOT_USER", "LP_BOT_PASS", "LP_APP_CLIENT_ID",
    "LP_APP_CLIENT_SECRET", "LP_HTTP", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "SSL_CERT_FILE",
}  # fmt: skip


def values(folder: Path = Path("/data")) -> dict[str, str]:
    return variables(new_book(), Listen(http_port=8080), CertificateFiles(folder / "tls"))


def test_all_the_names_that_tutorials_use_are_there() -> None:
    assert set(values()) >= PROMISED


def test_services_are_given_as_host_and_port() -> None:
    assert {values()[name] for name in SERVICE_VARIABLES} == {"127.0.0.1:8443"}
    assert values()["LP_HTTP"] == "127.0.0.1:8080"


def test_a_shell_reads_exactly_what_was_meant(tmp_path: Path) -> None:
    told = tmp_path / "demo.env"
    odd = tmp_path / "it's a $(folder)"
    write_aside(told, render(values(odd)))
    asked = subprocess.run(
        ["sh", "-c", f'. {told}; printf %s "$CURL_CA_BUNDLE"'], capture_output=True, text=True, check=True
    )
    assert asked.stdout == str(odd / "tls" / "bundle.pem")
    assert told.stat().st_mode & 0o777 == 0o600


def test_the_lines_look_as_documented() -> None:
    assert "export LP_ACCOUNT='12345678'\n" in render(values())


def test_the_book_is_read_as_it_was_written(tmp_path: Path) -> None:
    book = new_book()
    write_aside(tmp_path / "demo.json", encode_book(book))
    assert read_book(tmp_path / "demo.json") == book
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_without_a_book_there_is_none(tmp_path: Path) -> None:
    assert read_book(tmp_path / "demo.json") is None


def test_a_book_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(CannotStart, match="cannot be read"):
        read_book(tmp_path / "demo.json")


def test_two_demos_share_no_password() -> None:
    first, second = new_book(), new_book()
    passwords = {person.password for book in (first, second) for person in book.people.values()}
    assert len(passwords) == 10
    assert first.client_secret != second.client_secret
