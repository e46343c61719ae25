"""The keys that sign receipts lie in the key store, whichever it is; who can write the data alone adds none."""

import json
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from talkwire.backends.database.port import Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.keystore.port import KeyStore
from talkwire.history.receipt_keys import PURPOSE, ReceiptKeys
from talkwire.history.receipts import FORMAT, key_id_of, keys_in, public_hex, verify
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId
from talkwire.vault.service import Vault

ACCOUNT, OTHER = AccountId("1"), AccountId("2")
RECEIPT = {"format": FORMAT, "requestId": 7}
INSERT = "INSERT INTO receipt_keys (account_id, key_id, public_key, sealed, created_at) VALUES ($1, $2, $3, $4, $5)"


@pytest.fixture
def receipt_keys(any_key_store: KeyStore, any_vault: Vault) -> ReceiptKeys:
    return ReceiptKeys(any_key_store, MovableClock(), any_vault)


async def published(keys: ReceiptKeys, account_id: AccountId = ACCOUNT) -> list[str]:
    return keys_in(json.dumps(await keys.published(account_id)).encode())


async def write_row(
    store: SqliteDatabase | KeyStore, public: str, sealed: bytes, account_id: AccountId = ACCOUNT, at: int = 5
) -> None:
    """A row as earlier versions wrote it to the data, or as whoever can write there writes one."""

    async def unit(tx: Transaction) -> None:
        await tx.execute(INSERT, account_id, key_id_of(public), public, sealed, at)

    await store.write(unit)


async def former_key(vault: Vault, database: SqliteDatabase, account_id: AccountId = ACCOUNT) -> str:
    """A key that an earlier version made."""
    private = Ed25519PrivateKey.generate()
    sealed = await vault.seal(account_id, PURPOSE, private.private_bytes_raw())
    await write_row(database, public_hex(private), sealed, account_id)
    return public_hex(private)


async def test_the_first_receipt_makes_the_key_and_the_next_uses_it(
    receipt_keys: ReceiptKeys, any_key_store: KeyStore, any_vault: Vault
) -> None:
    assert await published(receipt_keys) == []
    first = await receipt_keys.sign(ACCOUNT, RECEIPT)
    later = ReceiptKeys(any_key_store, MovableClock(), any_vault)
    second = await later.sign(ACCOUNT, {**RECEIPT, "requestId": 8})
    (key,) = await published(later)
    assert [verify(one.encode(), [key]).is_known_key for one in (first, second)] == [True, True]
    assert await published(later, OTHER) == []


async def test_keys_of_the_data_are_taken_over_once(
    receipt_keys: ReceiptKeys, any_vault: Vault, sqlite_database: SqliteDatabase
) -> None:
    mine = await former_key(any_vault, sqlite_database)
    theirs = await former_key(any_vault, sqlite_database, OTHER)
    assert await receipt_keys.take_over(sqlite_database) == 2
    assert await receipt_keys.take_over(sqlite_database) == 0
    assert await published(receipt_keys) == [mine]
    assert await published(receipt_keys, OTHER) == [theirs]
    signed = verify((await receipt_keys.sign(ACCOUNT, RECEIPT)).encode(), [mine])
    assert signed.is_known_key


async def test_whoever_dies_before_the_key_store_has_them_loses_none(
    receipt_keys: ReceiptKeys, any_vault: Vault, any_key_store: KeyStore, sqlite_database: SqliteDatabase
) -> None:
    class Dying:
        async def write(self, unit: object) -> None:
            raise Unavailable("killed")

        async def read(self, sql: str, *args: object) -> Sequence[object]:
            return await any_key_store.read(sql, *args)

    key = await former_key(any_vault, sqlite_database)
    with pytest.raises(Unavailable):
        await ReceiptKeys(Dying(), MovableClock(), any_vault).take_over(sqlite_database)  # type: ignore[arg-type]
    assert await published(receipt_keys) == []
    assert await receipt_keys.take_over(sqlite_database) == 1
    assert await published(receipt_keys) == [key]


async def test_a_key_that_was_written_into_the_data_is_never_published(
    receipt_keys: ReceiptKeys, any_vault: Vault, sqlite_database: SqliteDatabase
) -> None:
    genuine = await former_key(any_vault, sqlite_database)
    (row,) = await sqlite_database.read("SELECT sealed FROM receipt_keys")
    forgers = [public_hex(Ed25519PrivateKey.generate()) for _ in range(4)]
    await write_row(sqlite_database, forgers[0], bytes(row["sealed"]))  # another's secret half
    await write_row(sqlite_database, forgers[1], b"")
    await write_row(sqlite_database, forgers[2], await any_vault.seal(ACCOUNT, PURPOSE, b"short"))
    await write_row(sqlite_database, forgers[3], bytes(row["sealed"]), OTHER)
    assert await receipt_keys.take_over(sqlite_database) == 1
    assert await published(receipt_keys) == [genuine]
    assert await published(receipt_keys, OTHER) == []


async def test_nor_is_one_that_was_written_into_the_key_store(
    receipt_keys: ReceiptKeys, any_key_store: KeyStore, any_vault: Vault
) -> None:
    receipt = await receipt_keys.sign(ACCOUNT, RECEIPT)
    (row,) = await any_key_store.read("SELECT sealed FROM receipt_keys")
    forged = public_hex(Ed25519PrivateKey.generate())
    await write_row(any_key_store, forged, bytes(row["sealed"]), at=2**40)
    assert forged not in await published(receipt_keys)
    again = verify((await receipt_keys.sign(ACCOUNT, RECEIPT)).encode())
    assert again.public_key == verify(receipt.encode()).public_key
