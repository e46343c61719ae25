"""Anchors of two nodes on one key store, on each key store."""

from structlog.testing import capture_logs

from keys import MASTER
from talkwire.audit.anchors import Anchors, find_anchor, list_anchored
from talkwire.audit.model import Act, Entry
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import MovableClock
from talkwire.vault.masters import MasterSecrets
from talkwire.vault.model import STAGING, Holder
from talkwire.vault.service import Vault
from talkwire.vault.store import list_file_accounts
from unit.audit.keys import Keys

ENTRY = Entry("1", Act.SETTING_CHANGED, "x")


async def test_nodes_move_one_anchor_on_by_turns_and_both_miss_what_is_gone(
    sqlite_database: SqliteDatabase, two_stores: tuple[KeyStore, KeyStore]
) -> None:
    trail = Trail(sqlite_database, MovableClock(), Keys())
    nodes = [Anchors(sqlite_database, store, MovableClock()) for store in two_stores]
    with capture_logs() as said:
        for number in range(1, 7):
            await trail.record(ENTRY)
            await nodes[number % 2].keep()
            anchor = await find_anchor(two_stores[0], "1")
            assert anchor is not None
            assert anchor.head.number == number
        for node in nodes:
            await node.keep()
    assert said == []

    async def forge(tx: Transaction) -> None:
        await tx.execute("UPDATE audit_records SET hash = $1 WHERE number = 6", bytes(32))

    await sqlite_database.write(forge)
    await trail.record(ENTRY)
    for node in nodes:
        await node.keep()
        assert node.lacking == {"1"}
    assert await find_anchor(two_stores[1], "1") == anchor
    assert await nodes[0].begin_anew("1") == anchor
    for node in nodes:
        await node.keep()
        assert not node.lacking
    assert await list_anchored(two_stores[1]) == ["1"]


async def test_who_has_the_key_of_a_file_is_known(any_key_store: KeyStore) -> None:
    vault = await Vault.open(any_key_store, MasterSecrets(MASTER), MovableClock())
    await vault.seal("a", "test", b"no file")
    key = await vault.create_file_key("b", Holder(STAGING))
    assert await list_file_accounts(any_key_store) == ["b"]
    await vault.shred_file_keys("b", [key.key_id])
    assert await list_file_accounts(any_key_store) == []
