"""Erasure and receipts at the desk."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from talkwire.cli.desk import Desk
from talkwire.cli.desk import run as run_at_desk
from talkwire.cli.main import main
from talkwire.history.receipts import FORMAT, key_id_of, public_hex, signed
from talkwire.kernel.ids import AccountId

RECEIPT = {"format": FORMAT, "accountId": "12345678", "requestId": 7, "counts": {"files": 1}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    assert CliRunner().invoke(main, ["account", "create", "12345678", "--data", str(folder)]).exit_code == 0
    return folder


def run(data: Path, *arguments: str) -> Any:
    result = CliRunner().invoke(main, [*arguments, "--data", str(data), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_a_request_is_made_listed_shown_and_cancelled(data: Path) -> None:
    made = run(data, "erasure", "request", "consumer", "a", "b")
    assert (made["status"], made["by"], made["count"]) == ("NOT_STARTED", "consumer", 2)
    assert made["finalAt"] - made["requestedAt"] == 5 * 86_400_000
    assert [one["id"] for one in run(data, "erasure", "list")] == [made["id"]]
    assert run(data, "erasure", "show", str(made["id"]))["ids"] == ["a", "b"]
    assert run(data, "erasure", "cancel", str(made["id"]))["status"] == "CANCELED"
    assert run(data, "erasure", "list", "--status", "NOT_STARTED") == []
    assert run(data, "receipts", "list") == []
    assert run(data, "receipts", "keys") == {"keys": []}


def test_what_is_not_there_is_said_in_one_line(data: Path, tmp_path: Path) -> None:
    for arguments in (("receipts", "show", "7"), ("erasure", "show", "7"), ("erasure", "cancel", "7")):
        result = CliRunner().invoke(main, [*arguments, "--data", str(data)])
        assert result.exit_code == 2
    assert CliRunner().invoke(main, ["receipts", "verify", str(tmp_path / "none")]).exit_code == 2
    (tmp_path / "broken").write_text("{}")
    result = CliRunner().invoke(main, ["receipts", "verify", str(tmp_path / "broken")])
    assert (result.exit_code, result.output.startswith("NOT VERIFIED")) == (1, True)


def genuine_receipt(data: Path) -> str:
    """A receipt that this installation signed."""
    written: list[str] = []

    async def work(desk: Desk) -> dict[str, str]:
        written.append(await desk.receipt_keys.sign(AccountId("12345678"), RECEIPT))
        return {}

    run_at_desk({"data_folder": str(data)}, work)
    return written[0]


def test_only_a_known_key_verifies_a_receipt(data: Path, tmp_path: Path) -> None:
    def verified(document: str, *flags: str) -> tuple[int, bool, bool]:
        (tmp_path / "receipt.json").write_text(document)
        arguments = ["receipts", "verify", str(tmp_path / "receipt.json"), *flags]
        result = CliRunner().invoke(main, [*arguments, "--json"])
        said = json.loads(result.output)
        told = CliRunner().invoke(main, arguments)
        assert (told.exit_code, told.output.startswith("VERIFIED")) == (result.exit_code, said["verified"])
        return result.exit_code, said["verified"], said["unchanged"]

    genuine, forger = genuine_receipt(data), Ed25519PrivateKey.generate()
    forged = signed({**RECEIPT, "counts": {"files": 999}}, forger, key_id_of(public_hex(forger)))
    (tmp_path / "keys.json").write_text(json.dumps(run(data, "receipts", "keys")))
    by_key, by_here = ("--key", str(tmp_path / "keys.json")), ("--here", "--data", str(data))
    for flags in (by_key, by_here, (*by_key, *by_here)):
        assert verified(genuine, *flags) == (0, True, True)
        assert verified(forged, *flags) == (1, False, True)
        assert verified(genuine.replace("1", "2", 1), *flags) == (1, False, False)
    assert verified(genuine) == (3, False, True)
    assert verified(forged) == (3, False, True)


def test_backups_say_where_they_go(data: Path, tmp_path: Path) -> None:
    said = run(data, "backup", "--to", str(tmp_path / "one"), "--keys-to", str(tmp_path / "two"))
    assert said["dataFiles"] >= 1
    assert (tmp_path / "two" / "keys.db").exists()
    inside = CliRunner().invoke(main, ["backup", "--data", str(data), "--to", str(data / "backup")])
    assert (inside.exit_code, "apart" in inside.output) == (1, True)
    assert CliRunner().invoke(main, ["backup", "--data", str(data)]).exit_code == 2
    again = tmp_path / "again"
    restored = CliRunner().invoke(
        main,
        ["restore", "--from", str(tmp_path / "one"), "--keys-from", str(tmp_path / "two"), "--data", str(again), "--verify"],
    )  # fmt: skip
    assert restored.exit_code == 0, restored.output
    assert [one["id"] for one in run(again, "account", "list")] == ["12345678"]


def test_data_without_its_keys_is_not_opened_with_new_ones(tmp_path: Path) -> None:
    data, again, nowhere = tmp_path / "data", tmp_path / "again", tmp_path / "nowhere"
    run(data, "account", "create", "12345678")
    copies = ["--to", str(tmp_path / "one"), "--keys-to", str(tmp_path / "two")]
    assert CliRunner().invoke(main, ["backup", "--data", str(data), *copies]).exit_code == 0
    restore = ["restore", "--from", str(tmp_path / "one"), "--data", str(again), "--keys", str(nowhere)]
    restored = CliRunner().invoke(main, [*restore, "--verify"])
    assert (restored.exit_code, "was written with keys" in restored.output) == (1, True)
    assert not nowhere.exists() or not list(nowhere.glob("*.db"))
    listed = CliRunner().invoke(main, ["account", "list", "--data", str(again), "--keys", str(nowhere)])
    assert (listed.exit_code, "was written with keys" in listed.output) == (1, True)
