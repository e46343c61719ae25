"""`talkwire keys`: on a data folder that no server holds, and beside one that a server does."""

import fcntl
import getpass
import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from talkwire.cli.main import main

ACCOUNT = "12345678"


class Shell:
    """Types commands against one data folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.keys = folder / "data-keys"

    def type(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--data", str(self.data)])

    def master_id(self) -> str:
        result = self.type("keys", "status", "--json")
        assert result.exit_code == 0, result.output
        return str(json.loads(result.stdout)["master_id"])

    def rotations(self) -> list[str]:
        result = self.type("audit", "export", ACCOUNT)
        assert result.exit_code == 0, result.output
        return [line for line in result.stdout.splitlines() if "key rotated" in line]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    assert shell.type("account", "create", ACCOUNT).exit_code == 0
    return shell


def test_the_master_key_is_rotated_and_recorded(shell: Shell) -> None:
    before, file = shell.master_id(), (shell.keys / "master.key").read_text()
    assert shell.type("keys", "rotate-master").exit_code == 0
    assert shell.master_id() != before
    assert (shell.keys / "master.key").read_text() != file
    assert len(shell.rotations()) == 1


def test_an_account_s_key_is_rotated_and_recorded(shell: Shell) -> None:
    assert shell.type("keys", "rotate-account", ACCOUNT).exit_code == 0
    assert len(shell.rotations()) == 1
    nobody = shell.type("keys", "rotate-account", "nobody")
    assert nobody.exit_code == 2
    assert "no account nobody" in nobody.output


def test_the_key_of_temporary_urls_is_rotated_and_recorded(shell: Shell) -> None:
    for _ in range(2):
        assert shell.type("keys", "rotate-urls", ACCOUNT).exit_code == 0
    rotations = shell.rotations()
    assert len(rotations) == 2
    assert all("temporary URL key" in line and f"operator {getpass.getuser()}" in line for line in rotations)
    with sqlite3.connect(shell.data / "talkwire.db") as connection:
        keys = connection.execute("SELECT number FROM temp_url_keys ORDER BY number").fetchall()
    connection.close()
    assert keys == [(2,), (3,)]  # the former one stays valid
    nobody = shell.type("keys", "rotate-urls", "nobody")
    assert (nobody.exit_code, "no account nobody" in nobody.output) == (2, True)


def test_a_running_server_is_asked(shell: Shell) -> None:
    with (shell.data / "talkwire.db.lock").open("a+") as held:  # as a server holds it
        fcntl.flock(held, fcntl.LOCK_EX)
        for words in (
            ("rotate-master",),
            ("rotate-account", ACCOUNT),
            ("rotate-master",),
            ("rotate-urls", ACCOUNT),
        ):
            result = shell.type("keys", *words)
            assert result.exit_code == 0, result.output
            assert "asked" in result.output
        assert shell.type("keys", "status").exit_code == 1
    asked = [json.loads(line) for line in (shell.keys / "rotate.request").read_text().splitlines()]
    assert [(one["key"], one["account_id"], one["address"]) for one in asked] == [
        ("master key", "", "cli"),
        ("account key", ACCOUNT, "cli"),
        ("temporary URL key", ACCOUNT, "cli"),
    ]
    assert {one["actor"] for one in asked} == {f"operator {getpass.getuser()}"}


def test_the_wrong_master_key_is_refused(shell: Shell) -> None:
    (shell.keys / "master.key").write_text("5c" * 32 + "\n")
    result = shell.type("keys", "status")
    assert result.exit_code == 1
    assert "not the one given" in result.output
    assert "5c5c" not in result.output


def test_keys_that_others_can_read_are_refused(shell: Shell) -> None:
    shell.keys.chmod(0o755)
    result = shell.type("keys", "status")
    assert result.exit_code == 1
    assert "chmod 700" in result.output


def test_a_master_key_file_becomes_a_setting(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    former, new = (shell.keys / "master.key").read_text().strip(), "a7" * 32
    before = shell.master_id()
    monkeypatch.setenv("TALKWIRE_MASTER_KEY", new)
    assert shell.type("keys", "status").exit_code == 1
    monkeypatch.setenv("TALKWIRE_MASTER_KEY_FORMER", former)
    assert shell.master_id() == before
    assert shell.type("keys", "rotate-master").exit_code == 0
    monkeypatch.delenv("TALKWIRE_MASTER_KEY_FORMER")
    assert shell.master_id() != before
    again = shell.type("keys", "rotate-master")
    assert again.exit_code == 2
    assert "master_key_former" in again.output


def test_a_running_server_is_not_asked_for_more_than_one_account(shell: Shell) -> None:
    with (shell.data / "talkwire.db.lock").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for account in ("*", "1 *", ""):
            assert shell.type("keys", "rotate-account", account).exit_code != 0
    assert not (shell.keys / "rotate.request").exists()
