"""What every key store promises, and what a vault promises on each of them."""

import asyncio
import contextlib
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from keys import MASTER, opened_keys
from talkwire.backends.database.port import DatabaseInUse, SchemaTooNew, Transaction, Unit
from talkwire.backends.keystore.port import KeyStore
from talkwire.backends.keystore.sqlite import SqliteKeyStore
from talkwire.kernel.clock import MovableClock, SystemClock
from talkwire.kernel.errors import NotFound, TalkwireError
from talkwire.vault.errors import KeyDestroyed, MasterKeyWrong, NothingToRotate, Tampered
from talkwire.vault.masters import MasterSecrets
from talkwire.vault.model import CONSUMER, STAGING, Holder
from talkwire.vault.service import CACHE_SECONDS, Vault

ANNA, BERT, NOBODY_YET = Holder(CONSUMER, "anna"), Holder(CONSUMER, "bert"), Holder(STAGING)
OTHER_MASTER = "a7" * 32


async def wraps_of(store: KeyStore, account_id: str = "a") -> dict[str, bytes]:
    rows = await store.read(
        "SELECT key_id, wrapped FROM file_keys WHERE account_id = $1 AND live = 1", account_id
    )
    return {row["key_id"]: bytes(row["wrapped"]) for row in rows}


async def forgetful(store: KeyStore, *masters: str) -> Vault:
    """Another node: it remembers nothing."""
    return await Vault.open(store, MasterSecrets(*(masters or (MASTER,))), SystemClock())


# --- the port ---


async def note(tx: Transaction) -> str:
    await tx.execute(
        "INSERT INTO master_keys (account_id, master_id, made_at) VALUES ($1, $2, $3)", "*", "m", 1
    )
    return "noted"


async def test_a_unit_s_result_is_what_the_write_answers(any_key_store: KeyStore) -> None:
    assert await any_key_store.write(note) == "noted"
    (row,) = await any_key_store.read("SELECT made_at FROM master_keys WHERE account_id = $1", "*")
    assert row["made_at"] == 1


async def test_a_refused_unit_leaves_nothing(any_key_store: KeyStore) -> None:
    async def unit(tx: Transaction) -> None:
        await note(tx)
        raise NotFound("no")

    for door in (any_key_store.write, any_key_store.shred):
        with pytest.raises(NotFound):
            await door(unit)
    assert await any_key_store.read("SELECT * FROM master_keys WHERE account_id = $1", "*") == []


async def test_the_schema_of_a_newer_program_is_refused(keys_address: tuple[str, str]) -> None:
    async with opened_keys(*keys_address) as store:

        async def unit(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, $3)", 99, "x", 0
            )

        await store.migrate()
        await store.write(unit)
        with pytest.raises(SchemaTooNew):
            await store.migrate()


async def test_what_was_written_is_there_after_a_new_start(keys_address: tuple[str, str]) -> None:
    async with opened_keys(*keys_address) as store:
        key = await (await forgetful(store)).create_file_key("a", ANNA)
    async with opened_keys(*keys_address) as store:
        assert await (await forgetful(store)).file_key("a", key.key_id) == key.secret


# --- the vault on each store ---


async def test_a_file_key_is_found_by_every_node(any_vault: Vault, any_key_store: KeyStore) -> None:
    key = await any_vault.create_file_key("a", ANNA)
    assert (len(key.key_id), len(key.secret)) == (32, 32)
    assert await any_vault.file_key("a", key.key_id) == key.secret
    assert await (await forgetful(any_key_store)).file_key("a", key.key_id) == key.secret


async def test_another_account_s_key_is_not_found(any_vault: Vault) -> None:
    key = await any_vault.create_file_key("a", ANNA)
    with pytest.raises(KeyDestroyed):
        await any_vault.file_key("b", key.key_id)


async def test_nothing_in_the_store_is_a_key_in_the_clear(any_vault: Vault, any_key_store: KeyStore) -> None:
    key = await any_vault.create_file_key("a", ANNA)
    wrapped = (await wraps_of(any_key_store))[key.key_id]
    assert key.secret not in wrapped
    assert key.secret[:8] not in wrapped


async def test_uploads_at_once_share_commits(any_vault: Vault, any_key_store: KeyStore) -> None:
    await any_vault.create_file_key("a", ANNA)
    commits = 0
    write = any_key_store.write

    async def counting(unit: Unit[Any]) -> Any:
        nonlocal commits
        commits += 1
        return await write(unit)

    any_key_store.write = counting  # type: ignore[method-assign]
    keys = await asyncio.gather(*(any_vault.create_file_key("a", ANNA) for _ in range(200)))
    assert commits <= 2
    assert (await wraps_of(any_key_store)).keys() >= {key.key_id for key in keys}


async def test_who_writes_for_all_may_be_cancelled(any_vault: Vault, any_key_store: KeyStore) -> None:
    await any_vault.create_file_key("a", ANNA)
    tasks = [asyncio.create_task(any_vault.create_file_key("a", ANNA)) for _ in range(20)]
    for _ in range(3):
        await asyncio.sleep(0)
    tasks[0].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    keys = [key for key in done if not isinstance(key, BaseException)]
    assert len(keys) == 19
    assert (await wraps_of(any_key_store)).keys() >= {key.key_id for key in keys}


async def test_two_nodes_make_one_consumer_s_key_at_once(two_stores: tuple[KeyStore, KeyStore]) -> None:
    nodes = [await forgetful(store) for store in two_stores]
    keys = await asyncio.gather(*(nodes[n % 2].create_file_key("new", ANNA) for n in range(20)))
    fresh = await forgetful(two_stores[0])
    assert [await fresh.file_key("new", key.key_id) for key in keys] == [key.secret for key in keys]
    for table in ("holder_keys", "account_keys"):
        assert len(await two_stores[0].read(f"SELECT live FROM {table} WHERE account_id = $1", "new")) == 1


async def test_sharing_takes_the_staging_wrap_away_and_is_idempotent(
    any_vault: Vault, any_key_store: KeyStore
) -> None:
    key = await any_vault.create_file_key("a", NOBODY_YET)
    for _ in range(2):
        await any_vault.share_file_key("a", key.key_id, ANNA)
    node = await forgetful(any_key_store)
    await node.share_file_key("a", key.key_id, ANNA)
    await node.share_file_key("a", key.key_id, BERT)
    rows = await any_key_store.read(
        "SELECT h.consumer_id FROM file_keys f JOIN holder_keys h"
        " ON h.account_id = f.account_id AND h.key_id = f.holder_key_id"
        " WHERE f.account_id = $1 AND f.live = 1 ORDER BY h.consumer_id",
        "a",
    )
    assert [row["consumer_id"] for row in rows] == ["anna", "bert"]
    assert await any_vault.shred_consumer("a", "anna") == []
    assert await any_vault.shred_consumer("a", "bert") == [key.key_id]


async def test_a_shredded_file_is_gone_and_cannot_be_shared(any_vault: Vault) -> None:
    keys = [await any_vault.create_file_key("a", holder) for holder in (ANNA, BERT, NOBODY_YET)]
    await any_vault.share_file_key("a", keys[0].key_id, BERT)
    gone = [keys[0].key_id, keys[2].key_id]
    assert await any_vault.list_held("a", [key.key_id for key in keys]) == {key.key_id for key in keys}
    assert await any_vault.shred_file_keys("a", gone) == 3
    assert await any_vault.shred_file_keys("a", gone) == 0
    assert await any_vault.shred_file_keys("a", []) == 0
    for key_id in gone:
        with pytest.raises(KeyDestroyed):
            await any_vault.file_key("a", key_id)
        with pytest.raises(KeyDestroyed):
            await any_vault.share_file_key("a", key_id, ANNA)
    assert await any_vault.list_held("a", [key.key_id for key in keys]) == {keys[1].key_id}
    assert await any_vault.file_key("a", keys[1].key_id) == keys[1].secret


async def test_a_shredded_consumer_begins_anew(any_vault: Vault) -> None:
    key = await any_vault.create_file_key("a", ANNA)
    sealed = await any_vault.seal_for("a", "anna", b"+49 170 1234567")
    assert await any_vault.unseal_for("a", "anna", sealed) == b"+49 170 1234567"
    locked_by = [any_vault.key_id_of(sealed), "0123456789abcdef"]
    assert await any_vault.list_owners("a", locked_by) == {locked_by[0]: "anna"}
    assert await any_vault.list_owners("b", locked_by) == {}
    assert await any_vault.shred_consumer("a", "anna") == [key.key_id]
    assert await any_vault.list_owners("a", locked_by) == {}
    assert await any_vault.shred_consumer("a", "anna") == []
    assert await any_vault.unseal_for("a", "anna", sealed) is None
    again = await any_vault.create_file_key("a", ANNA)
    assert await any_vault.unseal_for("a", "anna", sealed) is None
    assert await any_vault.file_key("a", again.key_id) == again.secret
    with pytest.raises(KeyDestroyed):
        await any_vault.file_key("a", key.key_id)


async def test_a_node_that_remembers_a_shredded_consumer_wraps_under_the_new_key(
    any_key_store: KeyStore,
) -> None:
    here, there = [await forgetful(any_key_store) for _ in range(2)]
    await here.create_file_key("a", ANNA)
    await there.shred_consumer("a", "anna")
    key = await here.create_file_key("a", ANNA)
    assert await there.file_key("a", key.key_id) == key.secret
    await there.shred_consumer("a", "anna")
    staged = await there.create_file_key("a", NOBODY_YET)
    await here.share_file_key("a", staged.key_id, ANNA)
    assert await (await forgetful(any_key_store)).file_key("a", staged.key_id) == staged.secret


async def test_other_nodes_forget_a_destroyed_key_soon(any_key_store: KeyStore) -> None:
    clock = MovableClock()
    here = await Vault.open(any_key_store, MasterSecrets(MASTER), clock)
    key = await here.create_file_key("a", ANNA)
    await (await forgetful(any_key_store)).shred_file_keys("a", [key.key_id])
    clock.advance(seconds=CACHE_SECONDS)
    with pytest.raises(KeyDestroyed):
        await here.file_key("a", key.key_id)


async def test_rows_that_trade_places_are_noticed(any_vault: Vault, any_key_store: KeyStore) -> None:
    one, two = [await any_vault.create_file_key("a", ANNA) for _ in range(2)]
    wraps = await wraps_of(any_key_store)

    async def swap(tx: Transaction) -> None:
        for to, source in ((one, two), (two, one)):
            await tx.execute(
                "UPDATE file_keys SET wrapped = $1 WHERE account_id = $2 AND key_id = $3",
                wraps[source.key_id],
                "a",
                to.key_id,
            )

    await any_key_store.write(swap)
    with pytest.raises(Tampered):
        await (await forgetful(any_key_store)).file_key("a", one.key_id)


async def test_one_altered_wrap_does_not_shut_out_the_others(
    any_vault: Vault, any_key_store: KeyStore
) -> None:
    key = await any_vault.create_file_key("a", ANNA)
    await any_vault.share_file_key("a", key.key_id, BERT)
    (row,) = await any_key_store.read(
        "SELECT key_id FROM holder_keys WHERE account_id = $1 AND consumer_id = $2", "a", "bert"
    )

    async def alter(tx: Transaction) -> None:
        await tx.execute(
            "UPDATE file_keys SET wrapped = $1 WHERE account_id = $2 AND holder_key_id = $3",
            os.urandom(61),
            "a",
            row["key_id"],
        )

    await any_key_store.write(alter)
    assert await (await forgetful(any_key_store)).file_key("a", key.key_id) == key.secret


async def test_sealed_values_open_for_their_account_and_purpose_only(any_vault: Vault) -> None:
    sealed = await any_vault.seal("a", "app secret", b"s3cret")
    assert b"s3cret" not in sealed
    assert await any_vault.unseal("a", "app secret", sealed) == b"s3cret"
    await any_vault.seal("b", "app secret", b"")
    for account_id, purpose, value in (
        ("a", "other", sealed),
        ("b", "app secret", sealed),
        ("c", "app secret", sealed),
        ("a", "app secret", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("a", "app secret", sealed[:10]),
        ("a", "app secret", b""),
    ):
        with pytest.raises(Tampered):
            await any_vault.unseal(account_id, purpose, value)
    other = await any_vault.seal_for("a", "anna", b"x")
    assert await any_vault.unseal_for("a", "bert", other) is None
    with pytest.raises(Tampered):
        await any_vault.unseal_for("a", "anna", other[:-1] + bytes([other[-1] ^ 1]))


# --- rotation ---


async def test_a_wrong_master_key_is_refused_at_the_start(any_vault: Vault, any_key_store: KeyStore) -> None:
    await any_vault.create_file_key("a", ANNA)
    with pytest.raises(MasterKeyWrong, match="not the one given") as refusal:
        await forgetful(any_key_store, OTHER_MASTER)
    assert OTHER_MASTER not in str(refusal.value)


async def test_an_account_s_rotation_leaves_everything_readable(
    any_vault: Vault, any_key_store: KeyStore
) -> None:
    keys = [await any_vault.create_file_key("a", Holder(CONSUMER, f"c{n}")) for n in range(450)]
    sealed = await any_vault.seal("a", "app secret", b"s3cret")
    before = await any_key_store.read("SELECT wrapped FROM account_keys WHERE account_id = $1", "a")
    assert await any_vault.rotate_account("a") == 451
    after = await any_key_store.read(
        "SELECT wrapped FROM account_keys WHERE account_id = $1 AND live = 1", "a"
    )
    assert len(after) == 1
    assert after[0]["wrapped"] != before[0]["wrapped"]
    node = await forgetful(any_key_store)
    assert [await node.file_key("a", key.key_id) for key in keys[::50]] == [k.secret for k in keys[::50]]
    assert await node.unseal("a", "app secret", sealed) == b"s3cret"
    with pytest.raises(NothingToRotate):
        await any_vault.rotate_account("nobody")


async def test_a_master_key_from_settings_is_changed_in_two_steps(any_key_store: KeyStore) -> None:
    old = await forgetful(any_key_store)
    key = await old.create_file_key("a", ANNA)
    with pytest.raises(NothingToRotate, match="master_key_former"):
        await old.rotate_master()
    both = await forgetful(any_key_store, OTHER_MASTER, MASTER)
    await both.create_file_key("b", ANNA)
    assert await (await forgetful(any_key_store)).file_key("a", key.key_id) == key.secret
    await both.rotate_master()
    new = await forgetful(any_key_store, OTHER_MASTER)
    assert await new.file_key("a", key.key_id) == key.secret
    with pytest.raises(MasterKeyWrong):
        await forgetful(any_key_store)
    assert (await new.counts()) == (await both.counts())
    assert (await new.counts())[1:] == (2, 0, 2, 2)


async def test_keys_rotate_while_traffic_runs(two_stores: tuple[KeyStore, KeyStore]) -> None:
    await forgetful(two_stores[0])
    nodes = [await forgetful(store, OTHER_MASTER, MASTER) for store in two_stores]
    kept: dict[str, bytes] = {}
    enough, stopped = asyncio.Event(), asyncio.Event()

    async def talk(number: int) -> None:
        chance = random.Random(number)
        while not stopped.is_set():
            node = chance.choice(nodes)
            who = Holder(CONSUMER, f"c{chance.randrange(30)}")
            key = await node.create_file_key("a", chance.choice((who, NOBODY_YET)))
            kept[key.key_id] = key.secret
            if len(kept) > 50:
                enough.set()
            await node.share_file_key("a", chance.choice(sorted(kept)), who)
            known = chance.choice(sorted(kept))
            assert await chance.choice(nodes).file_key("a", known) == kept[known]

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(talk(number))
        await enough.wait()
        await nodes[0].rotate_account("a")
        await nodes[1].rotate_account("a")
        await nodes[0].rotate_master()
        await nodes[1].rotate_account("a")
        stopped.set()
    node = await forgetful(two_stores[0], OTHER_MASTER)
    assert {key_id: await node.file_key("a", key_id) for key_id in kept} == kept
    assert (await node.counts()).unfinished_rotations == 0


async def test_a_file_that_many_are_shown_at_once_is_nobodys_loss(
    two_stores: tuple[KeyStore, KeyStore],
) -> None:
    """The first one's wrap takes the place of the only one that the others had seen."""
    nodes = [await forgetful(store) for store in two_stores]
    people = [Holder(CONSUMER, f"c{number}") for number in range(8)]
    for _ in range(15):
        key = await nodes[0].create_file_key("a", NOBODY_YET)
        async with asyncio.TaskGroup() as tasks:
            for number, who in enumerate(people):
                tasks.create_task(nodes[number % 2].share_file_key("a", key.key_id, who))
        rows = await two_stores[0].read(
            "SELECT number FROM file_keys WHERE account_id = 'a' AND key_id = $1 AND live = 1", key.key_id
        )
        assert len(rows) == len(people)


async def test_a_file_that_is_shared_while_it_is_shredded_is_shredded(
    two_stores: tuple[KeyStore, KeyStore],
) -> None:
    here, there = [await forgetful(store) for store in two_stores]
    for _ in range(40):
        key = await here.create_file_key("a", ANNA)
        await there.share_file_key("a", key.key_id, BERT)
        await asyncio.gather(here.shred_file_keys("a", [key.key_id]), _sharing(there, key.key_id))
        assert await here.list_held("a", [key.key_id]) == set()
        with pytest.raises(KeyDestroyed):
            await (await forgetful(two_stores[1])).file_key("a", key.key_id)


async def test_what_is_wrapped_while_its_consumer_is_shredded_opens_or_is_gone_for_good(
    two_stores: tuple[KeyStore, KeyStore],
) -> None:
    here, there = [await forgetful(store) for store in two_stores]
    for _ in range(25):
        first = await there.create_file_key("a", ANNA)
        made, alone = await asyncio.gather(
            asyncio.gather(*(there.create_file_key("a", ANNA) for _ in range(5))),
            here.shred_consumer("a", "anna"),
        )
        fresh = await forgetful(two_stores[0])
        held = await fresh.list_held("a", [first.key_id, *(key.key_id for key in made)])
        assert held == {key.key_id for key in made} - set(alone)
        for key in made:
            if key.key_id in held:
                assert await fresh.file_key("a", key.key_id) == key.secret


async def _sharing(node: Vault, key_id: str) -> None:
    with contextlib.suppress(TalkwireError):
        await node.share_file_key("a", key_id, Holder(CONSUMER, "carl"))


# --- what only the embedded one can promise: byte by byte ---


def every_byte(folder: Path) -> bytes:
    """Read by another process: closing a file of SQLite's lets go of the locks that this process has on it."""
    files = [str(path) for path in folder.iterdir() if path.is_file()]
    return subprocess.run(["cat", *files], check=True, capture_output=True).stdout


async def test_no_byte_of_what_was_shredded_is_left_in_the_folder(tmp_path: Path) -> None:
    chance = random.Random(4)
    async with opened_keys("sqlite", str(tmp_path)) as store:
        vault = await forgetful(store)
        live: list[str] = []
        for _ in range(12):
            who = [Holder(CONSUMER, f"c{n}") for n in chance.sample(range(40), 12)]
            keys = await asyncio.gather(*(vault.create_file_key("a", one) for one in who for _ in range(12)))
            live += [key.key_id for key in keys]
            chance.shuffle(live)
            before = await wraps_of(store)
            gone, live = live[:90], live[90:]
            await vault.shred_file_keys("a", gone)
            left = every_byte(tmp_path)
            assert [key_id for key_id in gone if before[key_id] in left] == []
            assert (tmp_path / "keys.db-wal").stat().st_size == 0
        before = await wraps_of(store)
        (holder,) = await store.read(
            "SELECT key_id, wrapped FROM holder_keys WHERE account_id = $1 AND consumer_id = $2", "a", "c1"
        )
        alone = await vault.shred_consumer("a", "c1")
        left = every_byte(tmp_path)
        assert holder["wrapped"] not in left
        assert [key_id for key_id in alone if before[key_id] in left] == []
        assert all(wrapped in left for key_id, wrapped in before.items() if key_id not in alone)


async def test_no_byte_of_a_former_account_key_or_wrap_is_left(tmp_path: Path) -> None:
    async with opened_keys("sqlite", str(tmp_path)) as store:
        vault = await forgetful(store)
        for n in range(300):
            await vault.create_file_key("a", Holder(CONSUMER, f"c{n}"))
        query = "SELECT wrapped FROM {} WHERE account_id = $1"
        former = [
            row["wrapped"]
            for table in ("account_keys", "holder_keys")
            for row in await store.read(query.format(table), "a")
        ]
        await vault.rotate_account("a")
        left = every_byte(tmp_path)
        assert [wrapped for wrapped in former if wrapped in left] == []


async def test_shreds_at_once_share_the_emptying_of_the_log(tmp_path: Path) -> None:
    async with opened_keys("sqlite", str(tmp_path)) as store:
        vault = await forgetful(store)
        keys = await asyncio.gather(*(vault.create_file_key("a", ANNA) for _ in range(100)))
        await asyncio.gather(*(vault.shred_file_keys("a", [key.key_id]) for key in keys))
        assert await wraps_of(store) == {}
        assert (tmp_path / "keys.db-wal").stat().st_size == 0


async def test_one_process_holds_the_embedded_store(tmp_path: Path) -> None:
    async with opened_keys("sqlite", str(tmp_path)):
        with pytest.raises(DatabaseInUse):
            await SqliteKeyStore.open(tmp_path)


async def test_the_embedded_store_s_files_are_private(tmp_path: Path) -> None:
    async with opened_keys("sqlite", str(tmp_path)) as store:
        await store.write(note)
        names = ("keys.db", "keys.db-wal", "keys.db-shm")
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in names} == {0o600}


async def test_a_holder_whose_key_lies_under_none_is_told_apart_from_a_busy_moment(
    any_vault: Vault, any_key_store: KeyStore
) -> None:
    sealed = await any_vault.seal("a", "test", b"plain")
    await any_vault.seal("b", "test", b"plain")
    sql = "UPDATE holder_keys SET account_key_id = 'gone' WHERE account_id = $1"
    await any_key_store.write(lambda tx: tx.execute(sql, "a"))
    fresh = await forgetful(any_key_store)
    with pytest.raises(Tampered):
        await fresh.seal("a", "test", b"plain")
    with pytest.raises(Tampered):
        await fresh.unseal("a", "test", sealed)
    with pytest.raises(Tampered):
        await fresh.rotate_account("a")
    await fresh.rotate_account("b")
    await fresh.seal("b", "test", b"plain")
