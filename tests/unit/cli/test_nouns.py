import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.cli.main import main

SECRET = "correct horse"


class Shell:
    """Types commands against one data folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.password = folder / "password"
        self.password.write_text(SECRET + "\n")

    def type(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--data", str(self.data)])

    def ask(self, *words: str) -> Any:
        """The answer as a program reads it."""
        result = self.type(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def add_user(self, name: str, *words: str) -> Any:
        return self.ask("user", "add", name, "--password-file", str(self.password), *words)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    assert shell.ask("account", "create", "12345678", "--name", "Acme") == {"id": "12345678", "name": "Acme"}
    return shell


def test_a_brand_is_made_once(shell: Shell) -> None:
    again = shell.type("account", "create", "12345678")
    assert (again.exit_code, again.stderr) == (2, "talkwire: Account 12345678 exists already\n")
    assert shell.ask("account", "list") == [{"id": "12345678", "name": "Acme"}]


def test_a_user_is_added_changed_and_removed(shell: Shell) -> None:
    made = shell.add_user("ann", "--nickname", "Ann", "--skill", "7", "--allow", "send_files")
    assert (made["profile"], made["skills"], made["capacity"]) == ("agent", ["7"], 5)
    assert made["granted"] == ["send_files"]
    changed = shell.ask("user", "set", "ann", "--capacity", "9", "--disabled", "--profile", "manager")
    assert (changed["capacity"], changed["enabled"], changed["profile"]) == (9, False, "manager")
    shell.ask("user", "password", "ann", "--password-file", str(shell.password))
    assert shell.ask("user", "allow", "ann", "send_files", "--off")["granted"] == []
    assert shell.ask("user", "remove", "ann") == {"removed": "ann"}
    assert shell.ask("user", "list") == []
    assert shell.type("user", "remove", "ann").exit_code == 2


def test_a_profile_may_be_allowed_more(shell: Shell) -> None:
    assert "send_files" in shell.ask("user", "allow", "bot", "send_files")["may"]
    assert "send_files" not in shell.ask("user", "allow", "bot", "send_files", "--off")["may"]


def test_a_bot_gets_a_key(shell: Shell) -> None:
    shell.add_user("bot", "--profile", "bot")
    key = shell.ask("user", "add-key", "bot")
    assert set(key) == {"appKey", "secret", "accessToken", "accessTokenSecret"}
    assert shell.ask("user", "remove-key", key["appKey"]) == {"removed": key["appKey"]}


def test_skills_are_made_and_led_to(shell: Shell) -> None:
    skill = shell.ask("skill", "add", "Sales", "--description", "Sells")
    assert shell.ask("skill", "set", skill["id"], "--name", "Service")["description"] == "Sells"
    assert shell.ask("skill", "route", skill["id"], "11", "22")["engagement"] == "22"
    assert shell.ask("skill", "list") == [{"id": skill["id"], "name": "Service", "description": "Sells"}]
    assert shell.ask("skill", "remove", skill["id"]) == {"removed": skill["id"]}
    assert shell.type("skill", "route", skill["id"], "11").exit_code == 2


def test_switches_are_set_and_unset(shell: Shell) -> None:
    name = "messaging.file.sharing.enabled"
    assert {"name": name, "value": "false (default)"} in shell.ask("property", "list")
    assert shell.type("property", "get", name).exit_code == 2
    assert shell.ask("property", "set", name, "true") == {"name": name, "value": "true"}
    assert shell.ask("property", "get", name) == {"name": name, "value": "true"}
    shell.ask("property", "unset", name)
    assert shell.type("property", "get", name).exit_code == 2


def test_features_are_granted_and_revoked(shell: Shell) -> None:
    shell.ask("feature", "grant", "Messaging.Agent_File_Sharing")
    shell.ask("feature", "revoke", "Messaging.Agent_File_Sharing")
    assert shell.ask("feature", "list") == [{"name": "Messaging.Agent_File_Sharing", "value": "false"}]


def test_keys_are_trusted_and_rotated(shell: Shell, tmp_path: Path) -> None:
    public = rsa.generate_private_key(65_537, 2048).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    file = tmp_path / "key.pem"
    file.write_bytes(pem)
    trusted = shell.ask("account", "trust-key", "12345678", "bank", str(file), "--issuer", "bank")
    assert shell.ask("account", "keys", "12345678") == [trusted]
    shell.ask("account", "distrust-key", "12345678", "bank")
    assert shell.ask("account", "keys", "12345678") == []
    file.write_text("nonsense")
    assert shell.type("account", "trust-key", "12345678", "bank", str(file)).exit_code == 2
    assert shell.ask("account", "rotate-key", "12345678")["kid"]


def test_with_two_brands_one_must_be_named(shell: Shell) -> None:
    shell.ask("account", "create", "2")
    assert shell.type("user", "list").exit_code == 2
    assert shell.ask("user", "list", "--account", "2") == []
    unknown = shell.type("user", "list", "--account", "3")
    assert (unknown.exit_code, "talkwire account create 3" in unknown.stderr) == (2, True)


def test_people_get_lines(shell: Shell) -> None:
    shell.add_user("ann")
    lines = shell.type("user", "list").stdout.splitlines()
    assert lines[0].split()[:2] == ["login", "profile"]
    assert lines[1].split()[:2] == ["ann", "agent"]
    assert shell.type("skill", "list").stdout == "(none)\n"
    assert shell.type("account", "list").stdout.splitlines()[0].split() == ["id", "name"]


async def test_while_a_server_holds_the_data_the_way_over_http_is_told(shell: Shell) -> None:
    database = await SqliteDatabase.open(shell.data / "talkwire.db")
    try:
        result = await asyncio.to_thread(shell.type, "user", "list")
    finally:
        await database.close()
    assert result.exit_code == 1
    assert "a server runs on" in result.stderr
    assert "curl" in result.stderr


def test_a_new_data_folder_is_private(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.ask("account", "list")
    assert shell.data.stat().st_mode & 0o077 == 0


def test_an_app_is_installed_changed_and_let_go(shell: Shell) -> None:
    made = shell.ask("app", "create", "sms", "--endpoint", "https://a.example/", "--max-retries", "2")
    client_id, secret = made["client_id"], made["client_secret"]
    assert (len(client_id), len(secret), len(made["webhooks"])) == (36, 64, 5)
    shown = shell.type("app", "show", client_id)
    assert secret not in shown.stdout
    assert shell.ask("app", "list") == [
        {"client_id": client_id, "name": "sms", "enabled": True, "scope": "msg.consumer"}
    ]
    hook = "ms.MessagingEventNotification.ContentEvent=https://b.example/"
    changed = shell.ask(
        "app", "update", client_id, "--disabled", "--webhook", hook, "--retention-seconds", "60"
    )
    assert (changed["enabled"], changed["webhooks"], changed["retention_seconds"]) == (False, [hook], 60)
    rotated = shell.ask("app", "rotate-secret", client_id)
    assert rotated["client_secret"] not in {secret, ""}
    assert shell.ask("app", "delete", client_id) == {"deleted": client_id}
    assert shell.ask("app", "list") == []


def test_an_app_that_could_not_work_is_refused(shell: Shell) -> None:
    for words in (
        ("app", "create", "sms", "--endpoint", "http://127.0.0.1/"),
        ("app", "create", "sms", "--webhook", "nothing"),
        ("app", "create", "sms", "--webhook", "no.such=https://a.example/"),
        ("app", "create", "sms", "--max-retries", "2"),
        ("app", "update", "nobody", "--name", "x"),
        ("app", "show", "nobody"),
    ):
        refused = shell.type(*words)
        assert refused.exit_code == 2, words
        assert refused.stderr.startswith("talkwire: ")


def test_routing_rules_are_set_in_their_order_and_let_go(shell: Shell) -> None:
    skill = shell.ask("skill", "add", "sales")["id"]
    shell.ask("routing-rule", "set", "acme", skill, "--when", "companyBranch=ACME, Acme-North")
    listed = shell.ask(
        "routing-rule", "set", "vips", skill, "--when", "ctype!=new", "--when", "balance>=1000", "--when",
        "customerId", "--at", "1",
    )  # fmt: skip
    assert listed == shell.ask("routing-rule", "list")
    assert [(rule["name"], rule["skill"]) for rule in listed] == [("vips", skill), ("acme", skill)]
    assert listed[0]["when"] == [
        "ctmrinfo.info.ctype!=new", "ctmrinfo.info.balance>=1000", "ctmrinfo.info.customerId",
    ]  # fmt: skip
    assert listed[1]["when"] == ["ctmrinfo.info.companyBranch=ACME,Acme-North"]
    again = shell.ask("routing-rule", "set", "vips", skill, "--when", "ctype^=v", "--disabled")
    assert [(rule["name"], rule["enabled"]) for rule in again] == [("vips", False), ("acme", True)]
    assert shell.ask("routing-rule", "remove", "acme") == {"removed": "acme"}
    assert shell.type("routing-rule", "remove", "acme").exit_code == 2
    refused = shell.type("routing-rule", "set", "odd", skill, "--when", "cart.total=1")
    assert (refused.exit_code, refused.stderr.startswith("talkwire: No field")) == (2, True)
    assert "ctype^=v" in shell.type("routing-rule", "list").stdout


def test_automatic_messages_are_set_in_their_order_and_let_go(shell: Shell) -> None:
    shell.ask("automatic-message", "set", "welcome", "Hello!")
    words = ("--trigger", "outsideHours", "--hours", "MON-FRI=09:00-17:00", "--hours", "SAT=10:00-12:00")
    listed = shell.ask("automatic-message", "set", "closed", "Later.", *words, "--zone", "Europe/Berlin")
    assert listed == shell.ask("automatic-message", "list")
    assert [(one["name"], one["trigger"]) for one in listed] == [
        ("welcome", "conversationOpened"),
        ("closed", "outsideHours"),
    ]
    assert listed[1]["hours"] == ["MON,TUE,WED,THU,FRI=09:00-17:00", "SAT=10:00-12:00", "Europe/Berlin"]
    again = shell.ask("automatic-message", "set", "welcome", "Hi!", "--skill", "5", "--disabled")
    assert (again[0]["text"], again[0]["skills"], again[0]["enabled"]) == ("Hi!", ["5"], False)
    assert shell.ask("automatic-message", "remove", "closed") == {"removed": "closed"}
    assert shell.type("automatic-message", "remove", "closed").exit_code == 2
    refused = shell.type("automatic-message", "set", "odd", "x", "--hours", "FUNDAY=1-2")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "talkwire: Days are MON, TUE, WED, THU, FRI, SAT, SUN\n",
    )
