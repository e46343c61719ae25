"""SQL over the log of events: reading. (Writing is the database port's `append`.)"""

from collections.abc import Sequence

from talkwire.backends.database.port import Database, Row

_COLUMNS = (
    "account_id, dialog_id, sequence, event_id, conversation_id, at, kind, originator_id, originator_role, "
    "audience, read_up_to, event, metadata, client_properties"
)
_FROM = (
    f"SELECT {_COLUMNS} FROM events WHERE account_id = $1 AND dialog_id = $2 AND sequence >= $3 "  # noqa: S608
    "ORDER BY sequence LIMIT $4"
)
_NEWEST = (
    f"SELECT {_COLUMNS} FROM events WHERE account_id = $1 AND dialog_id = $2 AND sequence >= $3 "  # noqa: S608
    "ORDER BY sequence DESC LIMIT $4"
)


async def events_from(
    database: Database, account_id: str, dialog_id: str, sequence: int, limit: int
) -> Sequence[Row]:
    """The oldest events from this sequence on, ascending."""
    return await database.read(_FROM, account_id, dialog_id, sequence, limit)


async def newest_events(
    database: Database, account_id: str, dialog_id: str, sequence: int, limit: int
) -> Sequence[Row]:
    """The newest events from this sequence on, ascending."""
    rows = await database.read(_NEWEST, account_id, dialog_id, sequence, limit)
    return list(reversed(rows))
