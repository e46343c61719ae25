"""The key store's SQL: destroying. A key is destroyed by overwriting its row; the migration says why."""

from collections.abc import Sequence

from talkwire.backends.database.port import Transaction
from talkwire.vault.model import Holder, Wrapped
from talkwire.vault.store import insert_wraps, numbered
from talkwire.vault.wrapping import WRAPPED_KEY_BYTES

ZEROS = bytes(WRAPPED_KEY_BYTES)
_LOOKS = 3


async def add_wrap(tx: Transaction, wrap: Wrapped, staging_key_id: str | None) -> tuple[bool, bool]:
    """Give a file one more holder, and destroy the staging wrap; tells whether file and holder are there.

    It holds the file's wraps against another node that shreds them.
    """
    if not await _hold_file(tx, wrap.account_id, wrap.key_id):
        return False, True
    if not await insert_wraps(tx, [wrap]):
        return True, False
    if staging_key_id is not None:
        await tx.execute(
            "UPDATE file_keys SET live = 0, wrapped = $1"
            " WHERE account_id = $2 AND key_id = $3 AND holder_key_id = $4 AND live = 1",
            ZEROS,
            wrap.account_id,
            wrap.key_id,
            staging_key_id,
        )
    return True, True


async def _hold_file(tx: Transaction, account_id: str, key_id: str) -> bool:
    """Hold a file's wraps; False when it has none.

    What was waited for may be destroyed, and another wrap in its place that this statement could not see yet.
    """
    for _ in range(_LOOKS):
        if await tx.fetch(
            "SELECT 1 AS one FROM file_keys WHERE account_id = $1 AND key_id = $2 AND live = 1"
            " ORDER BY number FOR UPDATE",
            account_id,
            key_id,
        ):
            return True
    return False


async def destroy_file_keys(tx: Transaction, account_id: str, key_ids: Sequence[str]) -> int:
    """All wraps of these files; again until none is found, since another node may have added one meanwhile."""
    total = 0
    while destroyed := await tx.execute(
        "UPDATE file_keys SET live = 0, wrapped = $1"
        f" WHERE account_id = $2 AND live = 1 AND key_id IN ({numbered(key_ids, 3)})",
        ZEROS,
        account_id,
        *key_ids,
    ):
        total += destroyed
    return total


async def destroy_holder(tx: Transaction, account_id: str, holder: Holder) -> list[str]:
    """A holder's key and all wraps under it; returns the file keys that nobody holds any more.

    The key goes first: whoever wraps under it at this moment is waited for, and later ones find it gone.
    """
    rows = await tx.fetch(
        "SELECT key_id FROM holder_keys"
        " WHERE account_id = $1 AND kind = $2 AND consumer_id = $3 AND live = 1 FOR UPDATE",
        account_id,
        *holder,
    )
    if not rows:
        return []
    holder_key_id = rows[0]["key_id"]
    await tx.execute(
        "UPDATE holder_keys SET live = 0, wrapped = $1, consumer_id = $2 WHERE account_id = $3 AND key_id = $4",
        ZEROS,
        "0" * len(holder.consumer_id.encode()),  # as long as it was
        account_id,
        holder_key_id,
    )
    held = await tx.fetch(
        "SELECT key_id FROM file_keys WHERE account_id = $1 AND holder_key_id = $2 AND live = 1 ORDER BY key_id",
        account_id,
        holder_key_id,
    )
    await tx.execute(
        "UPDATE file_keys SET live = 0, wrapped = $1"
        " WHERE account_id = $2 AND holder_key_id = $3 AND live = 1",
        ZEROS,
        account_id,
        holder_key_id,
    )
    return [row["key_id"] for row in held if not await _somebody_holds(tx, account_id, row["key_id"])]


async def _somebody_holds(tx: Transaction, account_id: str, key_id: str) -> bool:
    rows = await tx.fetch(
        "SELECT 1 AS one FROM file_keys WHERE account_id = $1 AND key_id = $2 AND live = 1 LIMIT 1",
        account_id,
        key_id,
    )
    return bool(rows)
