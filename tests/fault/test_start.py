"""A server that cannot start says why in one line, and ends with 1 (the machine) or 2 (what was asked)."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from live import Live, parse_env, start_server, stop

PATIENCE_SECONDS = 30


def serve(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "talkwire", "serve", *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def complaint(ended: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line that was said; nothing else was."""
    assert ended.returncode == status, ended.stderr
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("talkwire: ")
    return lines[0]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("flag", ["--port", "--http-port"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, taken_port: int, flag: str) -> None:
    others = {"--port": [], "--http-port": ["--port", "0"]}[flag]
    ended = serve("--data", str(tmp_path / "data"), *others, flag, str(taken_port))
    said = complaint(ended, 1)
    assert said.endswith(f"port {taken_port}: the port is taken; choose another with {flag}")


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    said = complaint(serve("--data", str(tmp_path / "data"), "--port", "0"), 1)
    assert said == f"talkwire: {tmp_path}/data is not a folder"


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder either")
    said = complaint(serve("--data", str(tmp_path / "file" / "data"), "--port", "0"), 1)
    assert "file/data is not writable: not a directory" in said


@pytest.mark.parametrize("which", ["--data", "--keys"])
def test_a_folder_that_we_may_not_write_to_is_named(tmp_path: Path, which: str) -> None:
    ended = serve("--data", str(tmp_path / "data"), "--port", "0", which, "/dev/null/folder")
    assert "/dev/null/folder is not writable" in complaint(ended, 1)


def test_a_second_server_on_the_same_data_is_refused(running: Live) -> None:
    said = complaint(serve("--data", str(running.data), "--port", "0"), 1)
    assert f"is in use by another server (process {running.process.pid})" in said


def test_keys_that_others_can_read_or_that_do_not_fit_are_refused(running: Live) -> None:
    stop(running)
    keys = running.data.with_name(running.data.name + "-keys")
    keys.chmod(0o750)
    assert f"chmod 700 {keys}" in complaint(serve("--data", str(running.data), "--port", "0"), 1)
    keys.chmod(0o700)
    (keys / "master.key").chmod(0o644)
    assert "chmod 600" in complaint(serve("--data", str(running.data), "--port", "0"), 1)
    (keys / "master.key").chmod(0o600)
    other = "5c" * 32
    wrong = serve("--data", str(running.data), "--port", "0", TALKWIRE_MASTER_KEY=other)
    assert "which is not the one given" in complaint(wrong, 1)
    (keys / "master.key").unlink()
    assert "not the one given (none)" in complaint(serve("--data", str(running.data), "--port", "0"), 1)
    inside = serve("--data", str(running.data), "--keys", str(running.data / "keys"), "--port", "0")
    assert "lies inside the data folder" in complaint(inside, 2)


def test_data_of_a_newer_version_is_left_alone(running: Live) -> None:
    stop(running)
    (database,) = running.data.glob("*.db")
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, '9999_future', 0)")
    connection.close()
    said = complaint(serve("--data", str(running.data), "--port", "0"), 1)
    assert "was written by a newer version of talkwire" in said


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        (["--config", "/nowhere.toml"], {}, "/nowhere.toml: No such file"),
        ([], {"TALKWIRE_PROT": "1"}, "did you mean TALKWIRE_PORT?"),
        (["--port", "70000"], {}, "listen.port"),
        (["--host", "no such host"], {}, "--host no such host"),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    tmp_path: Path, options: list[str], environment: dict[str, str], expected: str
) -> None:
    assert expected in complaint(serve("--data", str(tmp_path / "d"), *options, **environment), 2)


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    pem.write_text("no certificate")
    files = {"TALKWIRE_TLS_CERT_FILE": str(pem), "TALKWIRE_TLS_KEY_FILE": str(pem)}
    said = complaint(serve("--data", str(tmp_path / "data"), "--port", "0", **files), 1)
    assert f"the certificate {pem} cannot be used" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_with_0(running: Live, number: signal.Signals) -> None:
    running.process.send_signal(number)
    assert running.process.wait(10) == 0


def test_people_and_authority_stay_and_ports_are_written_anew(running: Live, tmp_path: Path) -> None:
    first, authority = running.env, (running.data / "tls" / "authority.pem").read_bytes()
    assert stop(running) == 0
    again = start_server(tmp_path / "live")
    try:
        assert parse_env((again.data / "demo.env").read_text()) == again.env
        changed = {name for name, value in again.env.items() if first[name] != value}
        assert not {name for name in changed if name.endswith(("_USER", "_PASS", "_ID", "_SECRET"))}
        assert (again.data / "tls" / "authority.pem").read_bytes() == authority
    finally:
        assert stop(again) == 0


def test_folders_are_for_nobody_else(running: Live) -> None:
    assert running.data.stat().st_mode & 0o777 == 0o700
    readable = [path for path in running.data.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert {path.parent.name for path in readable} <= {"tls"}  # certificates, which are public


def test_after_a_kill_the_same_data_serves_again(running: Live, tmp_path: Path) -> None:
    running.process.kill()
    running.process.wait()
    again = start_server(tmp_path / "live")
    assert stop(again) == 0
