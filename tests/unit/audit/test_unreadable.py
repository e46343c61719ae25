"""A whole node in which one account's trail cannot be opened: the others are served as if nothing were."""

import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from talkwire.assembly.node import Node, assemble
from talkwire.audit import store
from talkwire.audit.model import Draft
from talkwire.kernel.clock import SystemClock
from talkwire.kernel.ids import AccountId
from talkwire.settings import Scanner, Settings, Storage

WHOLE = AccountId("20000000")
BROKEN = AccountId("10000000")  # comes first wherever accounts go in order


async def opened(folder: Path, clamd: str = "") -> Node:
    storage = Storage(data_folder=str(folder / "data"), keys_folder=str(folder / "keys"))
    return await assemble(Settings(storage=storage, scanner=Scanner(clamd=clamd)), SystemClock())


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Older keys were put back beside newer data."""
    (tmp_path / "data").mkdir()
    keys, older = tmp_path / "keys", tmp_path / "older"
    for account_id in (WHOLE, BROKEN):
        node = await opened(tmp_path)
        await node.accounts.create(account_id)
        await node.close()
        if not older.exists():
            shutil.copytree(keys, older)
    shutil.rmtree(keys)
    older.rename(keys)
    return tmp_path


async def records(node: Node, account_id: AccountId) -> list[Draft]:
    return [record.draft for record in await store.list_records(node.database, account_id, 0, 1000)]


async def test_a_changed_setting_is_told_to_the_others_and_the_node_starts(folder: Path) -> None:
    with capture_logs() as logs:
        node = await opened(folder, clamd="tcp:127.0.0.1:9")
    assert [draft.subject for draft in await records(node, WHOLE)][-1] == "node setting clamd"
    noted = "SELECT account_id, value FROM noted_settings WHERE name = 'clamd' AND value <> '\"\"'"
    assert [row["account_id"] for row in await node.database.read(noted)] == [WHOLE]
    errors = [log for log in logs if log["log_level"] == "error"]
    assert [log["account_id"] for log in errors] == [BROKEN]
    await node.close()
