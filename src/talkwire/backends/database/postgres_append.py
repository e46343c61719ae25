"""A run of events in two statements: lock and read the dialogs in the order of their numbers, then write all."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from talkwire.backends.database.numbering import (
    DIALOG_COLUMNS,
    EVENT_COLUMNS,
    KEY_COLUMNS,
    DialogKey,
    DialogState,
    KeyId,
    KeyRow,
    key_id,
    key_row,
    number,
)
from talkwire.backends.database.port import Append, Outcome

_EVENT_TYPES = (
    "text", "bigint", "bigint", "text", "bigint", "text", "text", "text", "text", "bigint", "bytea", "bytea",
    "bytea",
)  # fmt: skip
_KEY_TYPES = ("text", "text", "text", "bytea", "bigint", "text", "bigint", "bigint")
_MOVE_TYPES = ("bigint", "bigint", "bigint", "bigint", "bigint")


def _unnest(types: Sequence[str], first: int = 1) -> str:
    return f"unnest({', '.join(f'${first + i}::{name}[]' for i, name in enumerate(types))})"


_LOCK = (
    f"SELECT {DIALOG_COLUMNS} FROM dialogs WHERE (account_id, dialog_id) IN"
    f" (SELECT * FROM {_unnest(('text', 'text'))}) ORDER BY number FOR UPDATE"
)
_FIND_KEYS = (
    f"SELECT {KEY_COLUMNS} FROM idempotency_keys WHERE (account_id, participant_id, key) IN"
    f" (SELECT * FROM {_unnest(('text', 'text', 'text'))})"
)
_WRITE = (
    "WITH moved AS (UPDATE dialogs d SET last_sequence = m.last_sequence, last_event_at = m.last_at,"
    " last_content_sequence = m.last_content, owed_since = m.owed_since"
    f" FROM {_unnest(_MOVE_TYPES, len(_EVENT_TYPES) + 1)}"
    " AS m (number, last_sequence, last_at, last_content, owed_since) WHERE d.number = m.number)"
    f" INSERT INTO logged_events ({EVENT_COLUMNS}) SELECT * FROM {_unnest(_EVENT_TYPES)}"
)
_WRITE_KEYS = (
    f"INSERT INTO idempotency_keys ({KEY_COLUMNS}) SELECT * FROM {_unnest(_KEY_TYPES)}"
    " ON CONFLICT (account_id, participant_id, key) DO UPDATE SET fingerprint = excluded.fingerprint,"
    " at = excluded.at, ref = excluded.ref, sequence = excluded.sequence, event_at = excluded.event_at"
)


async def append_run(connection: Any, entries: Sequence[Append]) -> list[DialogState]:
    """Set outcome, sequence and at_ms of every entry, and write what is new; inside a transaction.

    The keys are looked up by a statement of their own after the lock, so that it sees what another node
    committed while we waited. Returns the dialogs that moved.
    """
    dialogs = await _lock(connection, {(e.account_id, e.dialog_id) for e in entries})
    keyed = [e for e in entries if e.idempotency_key is not None]
    moved = number(entries, dialogs, await _find_keys(connection, keyed) if keyed else {})
    if moved:
        values = list(chain.from_iterable(d.added for d in moved))
        moves = [(d.number, d.last_sequence, d.last_at, d.last_content, d.owed_since) for d in moved]
        await connection.execute(_WRITE, *_columns(values, len(_EVENT_TYPES)), *zip(*moves, strict=True))
    fresh = [key_row(e) for e in keyed if e.outcome is Outcome.APPENDED]
    if fresh:
        await connection.execute(_WRITE_KEYS, *zip(*fresh, strict=True))
    return moved


async def is_written(connection: Any, entries: Sequence[Append], moved: Sequence[DialogState]) -> bool:
    """Whether a run whose COMMIT nobody answered is in the log: all of it is, or nothing."""
    numbers = {dialog.key: dialog.number for dialog in moved}
    entry = next(e for e in entries if e.outcome is Outcome.APPENDED)
    dialog_number = numbers[entry.account_id, entry.dialog_id]
    # the lock waits for the lost transaction, should it still be ending
    await connection.fetch("SELECT number FROM dialogs WHERE number = $1 FOR UPDATE", dialog_number)
    found = await connection.fetchval(
        "SELECT event_id FROM logged_events WHERE account_id = $1 AND dialog_number = $2 AND sequence = $3",
        entry.account_id,
        dialog_number,
        entry.sequence,
    )
    return bool(found == entry.event_id)


async def _lock(connection: Any, keys: set[DialogKey]) -> dict[DialogKey, DialogState]:
    rows = await connection.fetch(_LOCK, *zip(*keys, strict=True))
    return {state.key: state for state in map(DialogState, rows)}


async def _find_keys(connection: Any, keyed: Sequence[Append]) -> dict[KeyId, KeyRow]:
    rows = await connection.fetch(_FIND_KEYS, *zip(*map(key_id, keyed), strict=True))
    return {(row[0], row[1], row[2]): tuple(row) for row in rows}


def _columns(values: Sequence[object], width: int) -> list[Sequence[object]]:
    return [values[column::width] for column in range(width)]
