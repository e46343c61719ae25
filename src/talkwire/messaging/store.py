"""SQL over the log of events: reading. (Writing is the database port's `append`.)"""

from collections.abc import Sequence

from talkwire.backends.database.port import Database, Row, Transaction

_COLUMNS = (
    "account_id, dialog_id, sequence, event_id, conversation_id, at, kind, originator_id, originator_role, "
    "audience, read_up_to, event, metadata, client_properties"
)
_IN_DIALOG = f"SELECT {_COLUMNS} FROM events WHERE account_id = $1 AND dialog_id = $2 AND sequence >= $3 "
# Asked before the cut: what is taken out of a page afterwards leaves it short, or empty.
_FOR_ALL = "AND audience = 'ALL' "
_OLDEST = "ORDER BY sequence LIMIT $4"
_NEWEST = "ORDER BY sequence DESC LIMIT $4"


async def events_from(
    database: Database, account_id: str, dialog_id: str, sequence: int, limit: int
) -> Sequence[Row]:
    """The oldest events from this sequence on, ascending."""
    return await database.read(_IN_DIALOG + _OLDEST, account_id, dialog_id, sequence, limit)


async def public_events_from(
    database: Database, account_id: str, dialog_id: str, sequence: int, limit: int
) -> Sequence[Row]:
    """The oldest events for all eyes from this sequence on, ascending."""
    return await database.read(_IN_DIALOG + _FOR_ALL + _OLDEST, account_id, dialog_id, sequence, limit)


async def newest_events(
    database: Database, account_id: str, dialog_id: str, sequence: int, limit: int
) -> Sequence[Row]:
    """The newest events from this sequence on, ascending."""
    rows = await database.read(_IN_DIALOG + _NEWEST, account_id, dialog_id, sequence, limit)
    return list(reversed(rows))


async def newest_public_events(
    database: Database, account_id: str, dialog_id: str, sequence: int, limit: int
) -> Sequence[Row]:
    """The newest events for all eyes from this sequence on, ascending."""
    rows = await database.read(_IN_DIALOG + _FOR_ALL + _NEWEST, account_id, dialog_id, sequence, limit)
    return list(reversed(rows))


async def find_first(
    database: Database, account_id: str, participant_id: str, key: str, fingerprint: bytes
) -> int | None:
    """The sequence that this very publish was given when it came first; None when it never did."""
    rows = await database.read(
        "SELECT sequence FROM idempotency_keys WHERE account_id = $1 AND participant_id = $2 AND key = $3 "
        "AND fingerprint = $4 AND sequence >= 0",
        account_id,
        participant_id,
        key,
        fingerprint,
    )
    return int(rows[0]["sequence"]) if rows else None


async def purge_idempotency_keys(tx: Transaction, before_ms: int) -> int:
    """Forget the keys of every account that are older.

    No account is named: keys age alike in all, nothing of them is read, and they lie in an index by age alone. One by
    account and age would make every publish with a key dearer.
    """
    return await tx.execute("DELETE FROM idempotency_keys WHERE at < $1", before_ms)


async def purge_changes(tx: Transaction, before_ms: int) -> int:
    """Forget the bells of every account that are older; the newest stays, so that positions never start anew.

    No account is named: positions count through all of them, and each change would pay for another index.
    """
    return await tx.execute(
        "DELETE FROM changes WHERE at < $1 AND position < (SELECT MAX(position) FROM changes)", before_ms
    )
