"""The few statements of the hot path, one text per number of rows, so that SQLite keeps them prepared."""

from functools import cache

from talkwire.backends.database.numbering import DIALOG_COLUMNS, EVENT_COLUMNS, KEY_COLUMNS

DIALOG_WIDTH = 2
KEY_ID_WIDTH = 3
EVENT_WIDTH = 13
MOVE_WIDTH = 9
KEY_WIDTH = 8


@cache
def select_dialogs(rows: int) -> str:
    """One row with all that was found as a JSON array: one step instead of one per dialog."""
    return (
        f"SELECT json_group_array(json_array({DIALOG_COLUMNS})) FROM dialogs"
        f" WHERE (account_id, dialog_id) IN (VALUES {_values(DIALOG_WIDTH, rows)})"
    )


@cache
def select_keys(rows: int) -> str:
    return (
        f"SELECT {KEY_COLUMNS} FROM idempotency_keys"
        f" WHERE (account_id, participant_id, key) IN (VALUES {_values(KEY_ID_WIDTH, rows)})"
    )


@cache
def insert_events(rows: int) -> str:
    return f"INSERT INTO logged_events ({EVENT_COLUMNS}) VALUES {_values(EVENT_WIDTH, rows)}"


@cache
def move_dialogs(rows: int) -> str:
    """An upsert that always finds its row: the cheapest way to update many by key in one statement."""
    return (
        f"INSERT INTO dialogs ({DIALOG_COLUMNS}) VALUES {_values(MOVE_WIDTH, rows)}"
        " ON CONFLICT (number) DO UPDATE SET last_sequence = excluded.last_sequence,"
        " last_event_at = excluded.last_event_at, last_content_sequence = excluded.last_content_sequence,"
        " owed_since = excluded.owed_since"
    )


@cache
def insert_keys(rows: int) -> str:
    return f"INSERT OR REPLACE INTO idempotency_keys ({KEY_COLUMNS}) VALUES {_values(KEY_WIDTH, rows)}"


def _values(width: int, rows: int) -> str:
    return ", ".join(["(" + ", ".join("?" * width) + ")"] * rows)
