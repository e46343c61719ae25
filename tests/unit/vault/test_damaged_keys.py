"""One account's keys are damaged: a start ends the rotations of the others, and leaves that account as it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from keys import opened_keys
from talkwire.backends.database.port import Transaction
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import SystemClock
from talkwire.kernel.errors import Unavailable
from talkwire.vault.errors import Tampered
from talkwire.vault.masters import MasterFile
from talkwire.vault.model import CONSUMER, Holder
from talkwire.vault.service import Vault
from unit.vault.test_rotation import Breaking

BROKEN, WHOLE = "a", "b"  # the broken one comes first
NEWEST = "(SELECT MAX(number) FROM account_keys WHERE account_id = $1)"
DAMAGES = {
    "the newest key": f"UPDATE account_keys SET wrapped = x'00' WHERE account_id = $1 AND number = {NEWEST}",
    "the former key": f"UPDATE account_keys SET wrapped = x'00' WHERE account_id = $1 AND number < {NEWEST}",
    "the master's name": "UPDATE account_keys SET master_id = 'other' WHERE account_id = $1",
    "no bytes": "UPDATE account_keys SET wrapped = 'text' WHERE account_id = $1",
    "a holder's key": "UPDATE holder_keys SET wrapped = zeroblob(61) WHERE account_id = $1",
    "a key that is gone": "UPDATE holder_keys SET account_key_id = 'gone' WHERE account_id = $1",
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[KeyStore]:
    """Rotations of two accounts were broken off right after they had a new key."""
    async with opened_keys("sqlite", str(tmp_path)) as store:
        for account_id in (BROKEN, WHOLE):
            vault = await Vault.open(Breaking(store, 100, after=False), MasterFile(tmp_path), SystemClock())
            for number in range(3):
                await vault.create_file_key(account_id, Holder(CONSUMER, f"c{number}"))
        for account_id in (BROKEN, WHOLE):
            vault = Vault(Breaking(store, 1, after=False), MasterFile(tmp_path), SystemClock())
            with pytest.raises(Unavailable):
                await vault.rotate_account(account_id)
        yield store


async def mending(store: KeyStore) -> Callable[[], Awaitable[None]]:
    """What puts everything of the account back as it is now."""
    of_account = await store.read(
        "SELECT key_id, wrapped, master_id AS above FROM account_keys WHERE account_id = $1", BROKEN
    )
    of_holders = await store.read(
        "SELECT key_id, wrapped, account_key_id AS above FROM holder_keys WHERE account_id = $1", BROKEN
    )

    async def unit(tx: Transaction) -> None:
        for table, above, rows in (
            ("account_keys", "master_id", of_account),
            ("holder_keys", "account_key_id", of_holders),
        ):
            await tx.execute_many(
                f"UPDATE {table} SET wrapped = $3, {above} = $4 WHERE account_id = $1 AND key_id = $2",
                [(BROKEN, row["key_id"], row["wrapped"], row["above"]) for row in rows],
            )

    async def mend() -> None:
        await store.write(unit)

    return mend


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_start_leaves_it_out_and_the_next_one_tries_again(
    store: KeyStore, tmp_path: Path, damage: str
) -> None:
    mend = await mending(store)
    await store.write(lambda tx: tx.execute(DAMAGES[damage], BROKEN))
    with capture_logs() as logs:
        vault = await Vault.open(store, MasterFile(tmp_path), SystemClock())
    assert vault.ended == [WHOLE]
    assert (await vault.counts()).unfinished_rotations == 1
    assert [(log["log_level"], log["account_id"]) for log in logs] == [("error", BROKEN)]

    await mend()
    vault = await Vault.open(store, MasterFile(tmp_path), SystemClock())
    assert vault.ended == [BROKEN]
    assert (await vault.counts()).unfinished_rotations == 0


async def test_a_key_store_that_does_not_answer_is_no_account_s_damage(
    store: KeyStore, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable):
        await Vault.open(Breaking(store, 0, after=False), MasterFile(tmp_path), SystemClock())


async def test_a_key_under_one_that_is_gone_ends_a_rotation_that_is_asked_for(
    store: KeyStore, tmp_path: Path
) -> None:
    await store.write(lambda tx: tx.execute(DAMAGES["a key that is gone"], BROKEN))
    vault = Vault(store, MasterFile(tmp_path), SystemClock())
    async with asyncio.timeout(20):
        with pytest.raises(Tampered, match="not there"):
            await vault.rotate_account(BROKEN)
