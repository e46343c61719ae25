"""The doctor names what would keep a server from starting, and says so by its exit code."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from talkwire.cli.main import main


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def doctor(*options: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *options], env=environment)


def checks(result: Result) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def test_a_fresh_machine_is_well(tmp_path: Path, free_port: int) -> None:
    result = doctor("--data", str(tmp_path / "data"), TALKWIRE_PORT=str(free_port))
    assert result.exit_code == 0, result.output
    assert "made on first start" in result.output
    assert not (tmp_path / "data").exists()


def test_a_taken_port_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        result = doctor("--json", "--data", str(tmp_path / "data"), TALKWIRE_PORT=str(port))
    assert result.exit_code == 1
    assert checks(result)[f"port {port}"]["state"] == "fail"
    assert not json.loads(result.stdout)["ok"]


def test_one_port_for_two_purposes_fails(tmp_path: Path, free_port: int) -> None:
    ports = {"TALKWIRE_PORT": str(free_port), "TALKWIRE_STORAGE_PORT": str(free_port)}
    result = doctor("--data", str(tmp_path / "data"), **ports)
    assert result.exit_code == 1
    assert "choose another with --storage-port" in result.output


def test_a_data_folder_that_is_a_file_fails(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "data").write_text("")
    result = doctor("--json", "--data", str(tmp_path / "data"), TALKWIRE_PORT=str(free_port))
    assert result.exit_code == 1
    assert checks(result)["data folder"]["state"] == "fail"


def test_a_database_that_does_not_answer_fails_and_its_password_is_not_shown(free_port: int) -> None:
    url = f"postgresql://talkwire:pa55@127.0.0.1:{free_port}/talkwire"
    result = doctor("--json", TALKWIRE_DATABASE_URL=url, TALKWIRE_PORT=str(free_port))
    assert result.exit_code == 1
    assert checks(result)["database"]["state"] == "fail"
    assert json.loads(result.stdout)["settings"]["TALKWIRE_DATABASE_URL"] == "(set)"
    assert "pa55" not in result.output


def test_a_certificate_that_cannot_be_read_fails(tmp_path: Path, free_port: int) -> None:
    files = {
        "TALKWIRE_TLS_CERT_FILE": str(tmp_path / "a.pem"),
        "TALKWIRE_TLS_KEY_FILE": str(tmp_path / "b.pem"),
    }
    result = doctor("--json", TALKWIRE_PORT=str(free_port), **files)
    assert checks(result)["certificate"]["state"] == "fail"


def test_settings_that_make_no_sense_end_with_2() -> None:
    result = doctor(TALKWIRE_PROT="1")
    assert result.exit_code == 2
    assert "did you mean TALKWIRE_PORT?" in result.output
