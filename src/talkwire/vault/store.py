"""The key store's SQL: reading and adding. Units may be run again.

`FOR SHARE` and `FOR UPDATE` hold a row against other nodes until the commit: whoever wraps under a key
holds it, so that it is not destroyed in between.
"""

from collections.abc import Iterable, Sequence

from talkwire.backends.database.port import Row, Transaction
from talkwire.backends.keystore.port import KeyStore
from talkwire.vault.model import CONSUMER, Holder, Wrapped

EVERYONE = "*"
"""The account that the master key belongs to."""

CHAIN = (
    "h.key_id AS holder_key_id, h.kind, h.consumer_id, h.wrapped AS holder_wrapped,"
    " a.key_id AS account_key_id, a.master_id, a.wrapped AS account_wrapped"
)
_IS_OF_HOLDER = "a.account_id = h.account_id AND a.key_id = h.account_key_id AND a.live = 1"
ACCOUNT_OF_HOLDER = f"account_keys a ON {_IS_OF_HOLDER}"

_INSERT_WRAP = (
    "INSERT INTO file_keys (account_id, key_id, holder_key_id, wrapped, made_at, live)"
    " VALUES ($1, $2, $3, $4, $5, 1)"
    " ON CONFLICT (account_id, key_id, holder_key_id) WHERE live = 1 DO NOTHING"
)

MOST_WAYS = 4
"""A picture shown to thousands has thousands of wraps; any of a few opens it."""


# --- reading ---


async def list_ways_to_file(store: KeyStore, account_id: str, key_id: str) -> Sequence[Row]:
    """A few wraps of a file's key, each with the chain above it."""
    return await store.read(
        f"SELECT f.wrapped, {CHAIN} FROM file_keys f"
        " JOIN holder_keys h ON h.account_id = f.account_id AND h.key_id = f.holder_key_id AND h.live = 1"
        f" JOIN {ACCOUNT_OF_HOLDER}"
        f" WHERE f.account_id = $1 AND f.key_id = $2 AND f.live = 1 LIMIT {MOST_WAYS}",
        account_id,
        key_id,
    )


async def find_holder(store: KeyStore, account_id: str, holder: Holder) -> Row | None:
    """A holder's key with the chain above it."""
    rows = await store.read(
        f"SELECT {CHAIN} FROM holder_keys h JOIN {ACCOUNT_OF_HOLDER}"
        " WHERE h.account_id = $1 AND h.kind = $2 AND h.consumer_id = $3 AND h.live = 1",
        account_id,
        *holder,
    )
    return rows[0] if rows else None


async def list_owners(store: KeyStore, account_id: str, key_ids: Sequence[str]) -> dict[str, str]:
    """Consumers by their keys, of those of these keys that are not destroyed."""
    rows = await store.read(
        "SELECT key_id, consumer_id FROM holder_keys"
        f" WHERE account_id = $1 AND kind = $2 AND live = 1 AND key_id IN ({numbered(key_ids, 3)})",
        account_id,
        CONSUMER,
        *key_ids,
    )
    return {row["key_id"]: row["consumer_id"] for row in rows}


async def is_adrift(store: KeyStore, account_id: str, holder: Holder) -> bool:
    """Whether a holder has a key that lies under none of its account: no commit of ours leaves it so."""
    rows = await store.read(
        "SELECT 1 AS one FROM holder_keys h"
        " WHERE h.account_id = $1 AND h.kind = $2 AND h.consumer_id = $3 AND h.live = 1"
        f" AND NOT EXISTS (SELECT 1 FROM account_keys a WHERE {_IS_OF_HOLDER})",
        account_id,
        *holder,
    )
    return bool(rows)


async def find_account_key(store: KeyStore, account_id: str) -> Row | None:
    """The account's newest key."""
    rows = await store.read(
        "SELECT key_id AS account_key_id, master_id, wrapped AS account_wrapped FROM account_keys"
        " WHERE account_id = $1 AND live = 1 ORDER BY number DESC LIMIT 1",
        account_id,
    )
    return rows[0] if rows else None


async def find_master_id(store: KeyStore) -> str | None:
    """Which master key is in force; None in a new store."""
    rows = await store.read("SELECT master_id FROM master_keys WHERE account_id = $1", EVERYONE)
    return rows[0]["master_id"] if rows else None


async def list_held(store: KeyStore, account_id: str, key_ids: Sequence[str]) -> set[str]:
    """Which of these file keys somebody still holds."""
    rows = await store.read(
        "SELECT DISTINCT key_id FROM file_keys"
        f" WHERE account_id = $1 AND live = 1 AND key_id IN ({numbered(key_ids, 2)})",
        account_id,
        *key_ids,
    )
    return {row["key_id"] for row in rows}


async def list_made(
    store: KeyStore, from_ms: int, before_ms: int, after: tuple[str, str], limit: int
) -> list[tuple[str, str]]:
    """Account and id of live file keys that were wrapped in a stretch of time, in order, `after` one of them."""
    rows = await store.read(
        "SELECT DISTINCT account_id, key_id FROM file_keys WHERE live = 1 AND made_at >= $1 AND made_at < $2"
        " AND (account_id > $3 OR (account_id = $3 AND key_id > $4)) ORDER BY account_id, key_id LIMIT $5",
        from_ms,
        before_ms,
        *after,
        limit,
    )
    return [(row["account_id"], row["key_id"]) for row in rows]


async def is_held_by(store: KeyStore, account_id: str, key_id: str, holder_key_id: str) -> bool:
    rows = await store.read(
        "SELECT 1 AS one FROM file_keys"
        " WHERE account_id = $1 AND key_id = $2 AND holder_key_id = $3 AND live = 1",
        account_id,
        key_id,
        holder_key_id,
    )
    return bool(rows)


async def list_unfinished(store: KeyStore) -> list[str]:
    """Accounts with more than one key: their rotation was broken off."""
    rows = await store.read(
        "SELECT account_id FROM account_keys WHERE live = 1"
        " GROUP BY account_id HAVING COUNT(*) > 1 ORDER BY account_id"
    )
    return [row["account_id"] for row in rows]


async def list_accounts(store: KeyStore) -> list[str]:
    """Accounts that have a key."""
    rows = await store.read("SELECT DISTINCT account_id FROM account_keys WHERE live = 1 ORDER BY account_id")
    return [row["account_id"] for row in rows]


async def list_file_accounts(store: KeyStore) -> list[str]:
    """Accounts that have the key of a file."""
    rows = await store.read(
        "SELECT DISTINCT account_id FROM account_keys a WHERE live = 1 AND EXISTS"
        " (SELECT 1 FROM file_keys f WHERE f.account_id = a.account_id AND f.live = 1) ORDER BY account_id"
    )
    return [row["account_id"] for row in rows]


async def count(store: KeyStore) -> tuple[int, int, int]:
    """Accounts, consumers and files with a key."""
    (row,) = await store.read(
        "SELECT (SELECT COUNT(DISTINCT account_id) FROM account_keys WHERE live = 1) AS accounts,"
        " (SELECT COUNT(*) FROM holder_keys WHERE kind = 'consumer' AND live = 1) AS consumers,"
        " (SELECT COUNT(*) FROM (SELECT DISTINCT account_id, key_id FROM file_keys WHERE live = 1)"
        " AS held) AS files"
    )
    return row["accounts"], row["consumers"], row["files"]


# --- adding ---


async def insert_first_master(tx: Transaction, master_id: str, now_ms: int) -> str:
    """Note which master key is in force, unless another node was first; returns the one in force."""
    await tx.execute(
        "INSERT INTO master_keys (account_id, master_id, made_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (account_id) DO NOTHING",
        EVERYONE,
        master_id,
        now_ms,
    )
    rows = await tx.fetch("SELECT master_id FROM master_keys WHERE account_id = $1", EVERYONE)
    return str(rows[0]["master_id"])


async def hold_master(tx: Transaction, master_id: str) -> bool:
    """Whether this master key is in force; if so, it stays until the commit, and other nodes wait here."""
    rows = await tx.fetch(
        "SELECT 1 AS one FROM master_keys WHERE account_id = $1 AND master_id = $2 FOR UPDATE",
        EVERYONE,
        master_id,
    )
    return bool(rows)


async def newest_account_key_id(tx: Transaction, account_id: str) -> str | None:
    rows = await tx.fetch(
        "SELECT key_id FROM account_keys WHERE account_id = $1 AND live = 1 ORDER BY number DESC LIMIT 1",
        account_id,
    )
    return rows[0]["key_id"] if rows else None


async def insert_account_key(
    tx: Transaction, account_id: str, key_id: str, master_id: str, wrapped: bytes, now_ms: int
) -> None:
    """Keep a new account key: from the commit on it is the newest. Hold the master key before."""
    await tx.execute(
        "INSERT INTO account_keys (account_id, key_id, master_id, wrapped, made_at, live)"
        " VALUES ($1, $2, $3, $4, $5, 1)",
        account_id,
        key_id,
        master_id,
        wrapped,
        now_ms,
    )


async def insert_holder_key(
    tx: Transaction,
    account_id: str,
    holder: Holder,
    key_id: str,
    account_key_id: str,
    wrapped: bytes,
    now_ms: int,
) -> None:
    """Keep a new holder's key, unless it has one or the account's key went meanwhile: look afterwards."""
    if not await tx.fetch(
        "SELECT 1 AS one FROM account_keys WHERE account_id = $1 AND key_id = $2 AND live = 1 FOR SHARE",
        account_id,
        account_key_id,
    ):
        return
    await tx.execute(
        "INSERT INTO holder_keys"
        " (account_id, kind, consumer_id, key_id, account_key_id, wrapped, made_at, live)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, 1)"
        " ON CONFLICT (account_id, kind, consumer_id) WHERE live = 1 DO NOTHING",
        account_id,
        *holder,
        key_id,
        account_key_id,
        wrapped,
        now_ms,
    )


async def insert_wraps(tx: Transaction, wraps: Iterable[Wrapped]) -> set[tuple[str, str]]:
    """Keep wraps whose holder still has its key; returns those holders, as (account_id, holder_key_id)."""
    by_account: dict[str, list[Wrapped]] = {}
    for wrap in wraps:
        by_account.setdefault(wrap.account_id, []).append(wrap)
    known: set[tuple[str, str]] = set()
    for account_id, rows in by_account.items():
        holders = sorted({row.holder_key_id for row in rows})
        found = await tx.fetch(
            "SELECT key_id FROM holder_keys WHERE account_id = $1 AND live = 1"
            f" AND key_id IN ({numbered(holders, 2)}) ORDER BY key_id FOR SHARE",
            account_id,
            *holders,
        )
        known.update((account_id, row["key_id"]) for row in found)
        await tx.execute_many(_INSERT_WRAP, [row for row in rows if (account_id, row.holder_key_id) in known])
    return known


def numbered(values: Sequence[str], first: int) -> str:
    """Placeholders for a list of values, from `$first` on."""
    return ", ".join(f"${n}" for n in range(first, first + len(values)))
