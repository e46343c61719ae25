"""A whole node in which one account's trail cannot be opened: the others are served as if nothing were."""

import json
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from talkwire.assembly.node import Node, assemble
from talkwire.audit import store
from talkwire.audit.anchors import find_anchor
from talkwire.audit.model import Act, Draft, Entry
from talkwire.files.errors import FileNotFound
from talkwire.kernel.clock import Clock, MovableClock, SystemClock
from talkwire.kernel.ids import AccountId
from talkwire.settings import Scanner, Settings, Storage
from talkwire.vault.errors import Tampered

WHOLE = AccountId("20000000")
BROKEN = AccountId("10000000")  # comes first wherever accounts go in order


async def opened(folder: Path, clamd: str = "", clock: Clock | None = None) -> Node:
    storage = Storage(data_folder=str(folder / "data"), keys_folder=str(folder / "keys"))
    return await assemble(Settings(storage=storage, scanner=Scanner(clamd=clamd)), clock or SystemClock())


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


async def refuse(node: Node, account_id: AccountId, times: int) -> None:
    entry = Entry(account_id, Act.REFUSED, "download URL", actor="ada", detail={"path": "/v1/1"})
    for _ in range(times):
        await node.keys.trail.refuse(entry, FileNotFound())


async def test_what_was_refused_is_told_to_the_others_and_the_error_is_logged_once_an_hour(
    folder: Path,
) -> None:
    clock = MovableClock()
    node = await opened(folder, clock=clock)
    with pytest.raises(Tampered):
        await refuse(node, BROKEN, 1)
    await refuse(node, WHOLE, 3)
    with capture_logs() as logs:
        for _ in range(5):
            clock.advance(seconds=60)
            await node.keys.trail.tell_refusals()
        assert [log["account_id"] for log in logs] == [BROKEN]
        clock.advance(seconds=3600)
        await node.keys.trail.tell_refusals()
        assert [log["account_id"] for log in logs] == [BROKEN] * 2
    assert json.loads((await records(node, WHOLE))[-1].detail)["times"] == 2
    await node.close()


async def test_a_stop_tells_the_others_and_lets_go_of_everything(folder: Path) -> None:
    node = await opened(folder)
    with pytest.raises(Tampered):
        await refuse(node, BROKEN, 1)
    await refuse(node, WHOLE, 3)
    await node.close()
    node = await opened(folder)  # nobody holds the folders
    assert json.loads((await records(node, WHOLE))[-1].detail)["times"] == 2
    anchor = await find_anchor(node.keys.key_store, WHOLE)
    assert anchor is not None
    assert anchor.head.number == len(await records(node, WHOLE))
    await node.close()


async def test_whatever_goes_wrong_while_a_node_closes_its_database_is_closed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await opened(folder)

    async def fail() -> None:
        raise LookupError

    monkeypatch.setattr(node.keys.anchors, "keep", fail)
    with pytest.raises(LookupError):
        await node.close()
    await (await opened(folder)).close()
