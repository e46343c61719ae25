"""`talkwire audit`: beside a running server and without one, on data that is whole and data that is not."""

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from talkwire.assembly.foundation import open_database
from talkwire.assembly.keys import open_keys
from talkwire.audit.model import Act, Entry
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.backends.database.port import Transaction
from talkwire.cli.configuration import load
from talkwire.cli.main import main
from talkwire.kernel.clock import SystemClock

ACCOUNT = "12345678"
HERE = "192.0.2.7"
CONSUMER = "0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5"


class Shell:
    """Types commands against one data folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"

    def type(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--data", str(self.data)])

    def verify(self, *words: str) -> tuple[int, Any]:
        result = self.type("audit", "verify", "--json", *words)
        return result.exit_code, json.loads(result.stdout)

    def tamper(self, sql: str) -> None:
        with sqlite3.connect(self.data / "talkwire.db") as connection:
            connection.execute(sql)
        connection.close()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    for words in (
        ("account", "create", ACCOUNT, "--name", "Acme"),
        ("feature", "grant", "Messaging.Agent_File_Sharing"),
        ("feature", "revoke", "Messaging.Agent_File_Sharing"),
    ):
        assert shell.type(*words).exit_code == 0
    return shell


def test_what_an_administrator_did_at_the_desk_is_recorded(shell: Shell) -> None:
    lines = shell.type("audit", "export", ACCOUNT).stdout.splitlines()
    assert [line.split("  ")[2] for line in lines] == [
        "account created",
        "setting changed",
        "setting changed",
    ]
    assert all("  operator " in line and "  cli  " in line for line in lines)
    assert lines[2].endswith('feature Messaging.Agent_File_Sharing  {"value":"false"}')


def test_a_whole_trail_is_whole_and_anchored(shell: Shell) -> None:
    code, (report,) = shell.verify(ACCOUNT)
    assert (code, report["whole"], report["records"], report["codeChecked"]) == (0, True, 3, True)
    assert report["anchoredUpTo"] == 3


def test_every_account_is_verified_when_none_is_named(shell: Shell) -> None:
    shell.type("account", "create", "2")
    assert [report["accountId"] for report in shell.verify()[1]] == [ACCOUNT, "2"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_records SET subject = 'feature x' WHERE number = 2",
        "DELETE FROM audit_records WHERE number = 2",
        "DELETE FROM audit_records WHERE number = 3",
        "UPDATE audit_heads SET sealed_key = zeroblob(60)",
        "DELETE FROM audit_heads",
    ],
)
def test_what_was_done_to_the_data_is_found(shell: Shell, sql: str) -> None:
    shell.tamper(sql)
    code, (report,) = shell.verify(ACCOUNT)
    assert (code, report["whole"]) == (1, False)


def test_a_trail_that_is_gone_altogether_is_missed(shell: Shell) -> None:
    shell.tamper("DELETE FROM audit_records")
    shell.tamper("DELETE FROM audit_heads")
    code, (report,) = shell.verify()
    assert code == 1
    assert report["findings"] == [{"number": 1, "what": "to 3 are missing"}]


def test_an_export_is_verified_with_nothing_but_a_known_key(shell: Shell, tmp_path: Path) -> None:
    file, known = tmp_path / "trail.jsonl", tmp_path / "keys.json"
    file.touch(0o644)
    assert shell.type("audit", "export", ACCOUNT, "--json", "--output", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600  # what is personal is open in it
    known.write_text(shell.type("audit", "keys", ACCOUNT).stdout)
    alone = ["audit", "verify", "--file", str(file), "--data", str(tmp_path / "nothing")]
    result = CliRunner().invoke(main, [*alone, "--key", str(known)])
    assert (result.exit_code, f"{ACCOUNT}  VERIFIED: whole, 3 records" in result.stdout) == (0, True)
    result = CliRunner().invoke(main, alone)
    assert (result.exit_code, "NOT VERIFIED: whole" in result.stdout) == (3, True)
    file.write_bytes(file.read_bytes().replace(b"Acme", b"Acne"))
    for flags in ([], ["--key", str(known)]):
        result = CliRunner().invoke(main, [*alone, *flags])
        assert (result.exit_code, "NOT VERIFIED: NOT WHOLE" in result.stdout) == (1, True)
        assert "record 1 is not what was recorded" in result.stdout


def test_who_from_where_and_when_cannot_be_rewritten_in_an_export(shell: Shell, tmp_path: Path) -> None:
    asyncio.run(write(shell, Entry(ACCOUNT, Act.RECEIVED, "a path", CONSUMER, actor=CONSUMER)))
    text = shell.type("audit", "export", ACCOUNT, "--json").stdout
    file = tmp_path / "trail.jsonl"

    def verified(changed: str, *flags: str) -> tuple[int, bool]:
        file.write_text(changed)
        code, (report,) = shell.verify("--file", str(file), *flags)
        return code, report["verified"]

    assert verified(text, "--here") == (0, True)
    for was, becomes in (
        (f'"actor":"{CONSUMER}"', '"actor":"mallory"'),
        (f'"address":"{HERE}"', '"address":"6.6.6.6"'),
        (f'"consumer_id":"{CONSUMER}"', '"consumer_id":"x"'),
        ('"time":"2', '"time":"1'),
        ('"exported_at":1', '"exported_at":2'),
    ):
        assert was in text
        for flags in ((), ("--here",)):
            assert verified(text.replace(was, becomes), *flags) == (1, False)
    lines = text.splitlines(keepends=True)
    unsigned = "".join([lines[0].replace('"version":2', '"version":1'), *lines[1:-1]])
    assert verified(unsigned.replace(HERE, "6.6.6.6")) == (3, False)
    assert verified(unsigned, "--here") == (1, False)
    said = shell.type("audit", "verify", "--file", str(file)).stdout
    assert "who and from where in 1 records, is covered by nothing" in said


def test_an_export_that_another_server_signed_is_not_ours(shell: Shell, tmp_path: Path) -> None:
    other, file = Shell(tmp_path / "other"), tmp_path / "trail.jsonl"
    assert other.type("account", "create", ACCOUNT).exit_code == 0
    file.write_text(other.type("audit", "export", ACCOUNT, "--json").stdout)
    assert other.verify("--file", str(file), "--here")[0] == 0
    assert shell.verify("--file", str(file), "--here")[0] == 1
    assert shell.verify("--file", str(file))[0] == 3
    shell.tamper("UPDATE audit_heads SET sealed_key = zeroblob(60)")
    result = shell.type("audit", "export", ACCOUNT, "--json")
    assert (result.exit_code, "is not signed" in result.stderr) == (0, True)
    assert json.loads(shell.type("audit", "keys", ACCOUNT).stdout) == {"keys": []}


def test_a_span_in_which_nothing_happened_is_empty(shell: Shell) -> None:
    assert shell.type("audit", "export", ACCOUNT, "--to", "2020-01-01").stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("export", ACCOUNT, "--from", "yesterday"),
        ("verify", "--file", "/nowhere"),
        ("verify", "--file", "/dev/null"),
        ("verify", "--here"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(shell: Shell, words: tuple[str, ...]) -> None:
    result = shell.type("audit", *words)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_without_data_there_is_nothing_to_verify(tmp_path: Path) -> None:
    result = Shell(tmp_path).type("audit", "verify")
    assert (result.exit_code, "There is no" in result.stderr) == (1, True)


def test_a_trail_says_itself_what_it_lost_when_older_data_is_put_back(shell: Shell, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(shell.data, older)
    shell.type("feature", "grant", "Messaging.Agent_File_Sharing")
    shutil.rmtree(shell.data)
    older.rename(shell.data)
    code, (report,) = shell.verify()
    assert (code, report["findings"]) == (1, [{"number": 4, "what": "is missing"}])
    told = json.loads(shell.type("audit", "restored", "--json").stdout)
    assert told == [{"account": ACCOUNT, "lost_from": 4, "lost_to": 4}]
    assert shell.verify()[0] == 0
    assert '"lost_from":4' in shell.type("audit", "export", ACCOUNT).stdout
    assert json.loads(shell.type("audit", "restored", "--json").stdout) == []


async def write(shell: Shell, *entries: Entry, forget: bool = False) -> None:
    """As a server on this data would; `forget`: then erase the consumer."""
    ACTOR.set("")
    ORIGIN.set(HERE)
    settings = load(None, flags={"data_folder": str(shell.data)})
    database = await open_database(settings)
    keys = await open_keys(settings, database, SystemClock())
    await keys.trail.record(*entries)
    if forget:

        async def unit(tx: Transaction) -> None:
            await keys.trail.forget(tx, ACCOUNT, CONSUMER)

        await keys.vault.shred_consumer(ACCOUNT, CONSUMER)
        await database.write(unit)
    await keys.close()
    await database.close()


def people(shell: Shell) -> list[list[str]]:
    """Who and from where, as told to people, of what came after the set-up."""
    lines = shell.type("audit", "export", ACCOUNT).stdout.splitlines()[3:]
    return [line.split("  ")[3:5] for line in lines]


def test_only_what_cannot_be_opened_any_more_is_called_erased(shell: Shell) -> None:
    path = f"/v1/AUTH_async-images/{ACCOUNT}/{CONSUMER}_uuid_1.PNG"
    judged = Entry(ACCOUNT, Act.JUDGED, path, CONSUMER)
    nobodys = Entry(ACCOUNT, Act.SERVED, path, CONSUMER, is_anybodys=True)
    agents = Entry(ACCOUNT, Act.SERVED, path, CONSUMER, actor="agent-1")
    own = Entry(ACCOUNT, Act.RECEIVED, path, CONSUMER, actor=CONSUMER)
    asyncio.run(write(shell, judged, nobodys, agents, own))
    assert people(shell) == [["-", HERE], ["-", "-"], ["agent-1", HERE], [CONSUMER, HERE]]
    asyncio.run(write(shell, forget=True))
    gone = ["(erased)", "(erased)"]
    assert people(shell) == [gone, gone, ["agent-1", HERE], gone]
    assert shell.verify(ACCOUNT)[0] == 0


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_persons SET person = '~' || substr(person, 2)",
        "UPDATE audit_persons SET consumer_id = '~' || substr(consumer_id, 2)",
        "DELETE FROM audit_persons",
    ],
)
def test_who_acted_cannot_be_hidden_by_the_list_of_persons(shell: Shell, sql: str) -> None:
    asyncio.run(write(shell, Entry(ACCOUNT, Act.RECEIVED, "a path", CONSUMER, actor=CONSUMER)))
    code, (report,) = shell.verify(ACCOUNT)
    assert (code, report["personsChecked"]) == (0, True)
    shell.tamper(sql)
    code, (report,) = shell.verify(ACCOUNT)
    assert (code, [found["number"] for found in report["findings"]]) == (1, [4])
    assert people(shell) == [["(not told)", "(not told)"]]
    told = shell.type("audit", "export", ACCOUNT, "--json")
    assert "1 persons cannot be told though nobody erased them" in told.stderr
    assert '"personal":null' in told.stdout


def test_a_trail_that_grew_past_what_it_lost_is_missing_it_until_the_operator_says_it_was_restored(
    shell: Shell, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    shutil.copytree(shell.data, older)
    for value in ("grant", "revoke"):
        shell.type("feature", value, "Messaging.Agent_File_Sharing")
    shutil.rmtree(shell.data)
    older.rename(shell.data)
    for value in ("grant", "revoke", "grant", "revoke"):
        result = shell.type("feature", value, "Messaging.Agent_File_Sharing", "--json")
        json.loads(result.stdout)
        assert "lacks what was anchored" in result.stderr
    code, (report,) = shell.verify()
    assert (code, report["anchoredUpTo"], report["records"]) == (1, 5, 7)
    assert [found["number"] for found in report["findings"]] == [5]
    told = json.loads(shell.type("audit", "restored", "--json").stdout)
    assert told == [{"account": ACCOUNT, "lost_from": 4, "lost_to": 5}]
    code, (report,) = shell.verify()
    assert (code, report["anchoredUpTo"]) == (0, 8)


def test_empty_data_with_keys_in_use_is_refused_until_the_operator_gives_the_rest_up(
    shell: Shell, tmp_path: Path
) -> None:
    keys, other = ("--keys", str(tmp_path / "data-keys")), Shell(tmp_path / "typo")
    for words in (("account", "list"), ("keys", "status"), ("account", "create", "87654321")):
        refused = other.type(*words, *keys)
        assert refused.exit_code == 1
        assert f"{other.data} knows nothing of them" in refused.output
        assert f"keys of {ACCOUNT}, " in refused.output
        assert "talkwire audit restored" in refused.output
    assert shell.type("account", "list").exit_code == 0  # nothing happened to the right one
    assert shell.verify()[0] == 0
    told = json.loads(other.type("audit", "restored", "--json", *keys).stdout)
    assert told == [{"account": ACCOUNT, "lost_from": 1, "lost_to": 3}]
    assert other.type("account", "create", "87654321", *keys).exit_code == 0
    lines = other.type("audit", "export", ACCOUNT, *keys).stdout
    assert "restored" in lines
    code, (report, _) = shell.verify()  # who gave it up and comes back is told
    assert (code, report["accountId"]) == (1, ACCOUNT)


def test_keys_of_files_without_an_anchor_are_enough_to_refuse_empty_data(
    shell: Shell, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "data-keys" / "keys.db") as connection:  # killed within ten seconds
        connection.execute("DELETE FROM audit_anchors")
    connection.close()
    keys, other = ("--keys", str(tmp_path / "data-keys")), Shell(tmp_path / "typo")
    assert other.type("account", "list", *keys).exit_code == 0  # no file's key is in danger
    with sqlite3.connect(tmp_path / "data-keys" / "keys.db") as connection:
        connection.execute(
            "INSERT INTO file_keys (account_id, key_id, holder_key_id, wrapped, made_at, live) VALUES (?, '1', '1', '', 1, 1)",
            (ACCOUNT,),
        )
    connection.close()
    assert other.type("account", "list", *keys).exit_code == 1
    told = json.loads(other.type("audit", "restored", "--json", *keys).stdout)
    assert told == [{"account": ACCOUNT, "lost_from": 1, "lost_to": None}]
    assert other.type("account", "list", *keys).exit_code == 0
