"""Heads kept with the keys: what only they can tell."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from talkwire.audit import store
from talkwire.audit.anchors import Anchors, find_anchor, list_anchored
from talkwire.audit.model import Act, Entry, Head
from talkwire.audit.service import Trail
from talkwire.audit.store import Reader
from talkwire.audit.verification import verify
from talkwire.backends.database.port import Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.keystore.sqlite import SqliteKeyStore
from talkwire.kernel.clock import MovableClock
from unit.audit.keys import Keys

ENTRY = Entry("1", Act.SETTING_CHANGED, "x")


async def test_a_trail_put_back_to_an_older_state_is_found(
    sqlite_database: SqliteDatabase, tmp_path: Path
) -> None:
    database, clock = sqlite_database, MovableClock()
    keys = await SqliteKeyStore.open(tmp_path)
    await keys.migrate()
    trail, anchors = Trail(database, clock, Keys()), Anchors(database, keys, clock)
    for _ in range(5):
        await trail.record(ENTRY)
    head = await database.read("SELECT number, hash, code FROM audit_heads")
    for _ in range(5):
        await trail.record(ENTRY)
    await anchors.keep()
    anchor = await find_anchor(keys, "1")
    assert anchor is not None
    assert (anchor.head.number, await list_anchored(keys)) == (10, ["1"])
    assert (await verify(database, "1", anchor=anchor)).is_whole

    async def put_back(tx: Transaction) -> None:
        await tx.execute("DELETE FROM audit_records WHERE number > 5")
        await tx.execute("UPDATE audit_heads SET number = $1, hash = $2, code = $3", *tuple(head[0]))

    await database.write(put_back)
    assert (await verify(database, "1")).is_whole  # the data alone does not tell
    assert [tuple(found) for found in (await verify(database, "1", anchor=anchor)).findings] == [
        (6, "to 10 are missing")
    ]
    with capture_logs() as said:
        await anchors.keep()
        await anchors.keep()
    assert [one["event"] for one in said] == ["the audit trail lacks what was anchored"] * 2
    assert await find_anchor(keys, "1") == anchor  # it is not lowered
    for _ in range(9):
        await trail.record(Entry("1", Act.SETTING_CHANGED, "y"))
    written_anew = await verify(database, "1", anchor=anchor)
    assert [found.number for found in written_anew.findings] == [10]
    assert await anchors.begin_anew("1") == anchor
    assert (await verify(database, "1", anchor=await find_anchor(keys, "1"))).is_whole
    await anchors.keep()
    assert not anchors.lacking
    await keys.close()


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_an_anchor_stays_where_the_data_lacks_its_record_however_long_the_trail_grows(
    sqlite_database: SqliteDatabase, tmp_path: Path, is_restarted: bool
) -> None:
    database, clock = sqlite_database, MovableClock()
    keys = await SqliteKeyStore.open(tmp_path)
    await keys.migrate()
    trail, anchors = Trail(database, clock, Keys()), Anchors(database, keys, clock)
    await trail.record(ENTRY)
    (head,) = await database.read("SELECT number, hash, code FROM audit_heads")
    await trail.record(ENTRY, ENTRY, ENTRY)
    await anchors.keep()
    anchor = await find_anchor(keys, "1")

    async def put_back(tx: Transaction) -> None:
        await tx.execute("DELETE FROM audit_records WHERE number > 1")
        await tx.execute("UPDATE audit_heads SET number = $1, hash = $2, code = $3", *tuple(head))

    await database.write(put_back)
    await trail.record(Entry("2", Act.SETTING_CHANGED, "of another"))
    if is_restarted:
        anchors = Anchors(database, keys, clock)
    for _ in range(3):
        await trail.record(*[Entry("1", Act.SETTING_CHANGED, "y")] * 3)
        with capture_logs() as said:
            await anchors.keep()
        assert [(one["account_id"], one["anchored_up_to"]) for one in said] == [("1", 4)]
        assert (anchors.lacking, await anchors.has_trail("1")) == (frozenset({"1"}), False)
        assert await find_anchor(keys, "1") == anchor
    assert [found.number for found in (await verify(database, "1", anchor=anchor)).findings] == [4]
    assert await list_anchored(keys) == ["1", "2"]  # the other's goes on
    assert (await anchors.has_trail("2"), await anchors.has_trail("3")) == (True, False)
    assert await anchors.begin_anew("1") == anchor
    with capture_logs() as said:
        await anchors.keep()
    assert (said, anchors.lacking, await anchors.has_trail("1")) == ([], frozenset(), True)
    await keys.close()


async def test_an_account_of_which_nothing_was_recorded_yet_is_not_missed(
    sqlite_database: SqliteDatabase, tmp_path: Path
) -> None:
    keys, clock = await SqliteKeyStore.open(tmp_path), MovableClock()
    await keys.migrate()
    trail, anchors = Trail(sqlite_database, clock, Keys()), Anchors(sqlite_database, keys, clock)
    await trail.seal(ENTRY)
    with capture_logs() as said:
        for _ in range(2):
            await anchors.keep()
    assert (said, anchors.lacking, await list_anchored(keys)) == ([], frozenset(), [])
    assert await anchors.begin_anew("1") is None
    with capture_logs() as said:
        await anchors.keep()
        await trail.record(ENTRY)
        await anchors.keep()
    assert said == []
    await keys.close()


async def test_nothing_is_written_when_nothing_moved(
    sqlite_database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await SqliteKeyStore.open(tmp_path)
    await keys.migrate()
    clock = MovableClock()
    trail, anchors = Trail(sqlite_database, clock, Keys()), Anchors(sqlite_database, keys, clock)
    await anchors.keep()
    await trail.record(ENTRY)
    await anchors.keep()
    clock.advance(seconds=10)
    await anchors.keep()
    anchor = await find_anchor(keys, "1")
    assert anchor is not None
    assert anchor.at_ms == clock.now_ms() - 10_000
    await keys.close()


async def test_of_two_nodes_the_slower_one_raises_no_alarm(
    sqlite_database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, clock = await SqliteKeyStore.open(tmp_path), MovableClock()
    await keys.migrate()
    trail = Trail(sqlite_database, clock, Keys())
    slow, quick = (Anchors(sqlite_database, keys, clock) for _ in range(2))
    await trail.record(ENTRY)
    read_before = await store.list_heads(sqlite_database)
    await trail.record(ENTRY)
    await quick.keep()

    async def as_read_before(_: Reader) -> list[tuple[str, Head]]:
        return read_before

    with capture_logs() as said, monkeypatch.context() as late:
        late.setattr(store, "list_heads", as_read_before)
        await slow.keep()
    assert said == []
    anchor = await find_anchor(keys, "1")
    assert anchor is not None
    assert anchor.head.number == 2

    async def cut(tx: Transaction) -> None:
        await tx.execute("DELETE FROM audit_records WHERE number = 2")
        head = read_before[0][1]
        await tx.execute("UPDATE audit_heads SET number = $1, hash = $2", head.number, head.hash)

    await sqlite_database.write(cut)
    with capture_logs() as said:
        await quick.keep()
        await slow.keep()
    assert [one["event"] for one in said] == ["the audit trail lacks what was anchored"] * 2
    await keys.close()
