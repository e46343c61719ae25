"""The key store's SQL: rotations. Wraps are made between reading and writing, by the caller's function."""

from collections.abc import Callable

from talkwire.backends.database.port import Row, Transaction
from talkwire.vault.shredding_store import ZEROS
from talkwire.vault.store import ACCOUNT_OF_HOLDER, CHAIN, EVERYONE, hold_master

Rewrap = Callable[[Row], bytes]
"""The same key under the new one above it. Quick: it runs inside the transaction."""

BATCH = 100


async def rewrap_holders(tx: Transaction, account_id: str, account_key_id: str, rewrap: Rewrap) -> int:
    """Bring some holders' keys under an account key; returns how many."""
    rows = await tx.fetch(
        f"SELECT {CHAIN} FROM holder_keys h JOIN {ACCOUNT_OF_HOLDER}"
        f" WHERE h.account_id = $1 AND h.account_key_id <> $2 AND h.live = 1 LIMIT {BATCH}",
        account_id,
        account_key_id,
    )
    await tx.execute_many(
        "UPDATE holder_keys SET wrapped = $1, account_key_id = $2"
        " WHERE account_id = $3 AND key_id = $4 AND account_key_id = $5 AND live = 1",
        [
            (rewrap(row), account_key_id, account_id, row["holder_key_id"], row["account_key_id"])
            for row in rows
        ],
    )
    return len(rows)


async def destroy_former_account_keys(tx: Transaction, account_id: str, account_key_id: str) -> bool:
    """Destroy the account's keys but this one; False when something still lies under one."""
    await tx.fetch(
        "SELECT key_id FROM account_keys WHERE account_id = $1 AND live = 1 ORDER BY number FOR UPDATE",
        account_id,
    )
    if await tx.fetch(
        "SELECT 1 AS one FROM holder_keys"
        " WHERE account_id = $1 AND account_key_id <> $2 AND live = 1 LIMIT 1",
        account_id,
        account_key_id,
    ):
        return False
    await tx.execute(
        "UPDATE account_keys SET live = 0, wrapped = $1 WHERE account_id = $2 AND key_id <> $3 AND live = 1",
        ZEROS,
        account_id,
        account_key_id,
    )
    return True


async def change_master(tx: Transaction, former: str, master_id: str, now_ms: int, rewrap: Rewrap) -> bool:
    """Bring all account keys under a new master key, in one unit; False when `former` is not in force."""
    if not await hold_master(tx, former):
        return False
    rows = await tx.fetch(
        "SELECT account_id, key_id AS account_key_id, master_id, wrapped AS account_wrapped"
        " FROM account_keys WHERE live = 1"
    )
    await tx.execute_many(
        "UPDATE account_keys SET wrapped = $1, master_id = $2 WHERE account_id = $3 AND key_id = $4 AND live = 1",
        [(rewrap(row), master_id, row["account_id"], row["account_key_id"]) for row in rows],
    )
    await tx.execute(
        "UPDATE master_keys SET master_id = $1, made_at = $2 WHERE account_id = $3",
        master_id,
        now_ms,
        EVERYONE,
    )
    return True
