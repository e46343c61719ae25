"""A run of events as one batch: look up, number what is new, insert, move the dialogs.

Each step of a statement lets go of the interpreter lock and has to win it back from a busy event loop, so
the work is done in few statements of many rows; a bounded number, because binding holds the lock. Where the
dialogs stand is remembered between batches: nobody else writes this file.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec

from talkwire.backends.database import sqlite_statements as statements
from talkwire.backends.database.numbering import (
    DialogKey,
    DialogState,
    KeyId,
    KeyRow,
    key_id,
    key_row,
    number,
)
from talkwire.backends.database.port import Append, Outcome

MOST_REMEMBERED = 20_000
_ROWS = (128, 64)


class LogWriter:
    """Appends runs of events on one connection, inside a transaction that somebody else begins and ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._dialogs: dict[DialogKey, DialogState] = {}

    def forget(self) -> None:
        """Dialogs were changed by another's statement, or changes of ours were rolled back."""
        self._dialogs.clear()

    def append(self, entries: Sequence[Append]) -> None:
        """Set outcome, sequence and at_ms of every entry, and write what is new."""
        if len(self._dialogs) > MOST_REMEMBERED:
            self.forget()
        self._remember({(e.account_id, e.dialog_id) for e in entries} - self._dialogs.keys())
        keyed = [e for e in entries if e.idempotency_key is not None]
        moved = number(entries, self._dialogs, self._find_keys(keyed) if keyed else {})
        self._insert_events(moved)
        self._move(moved)
        if keyed:
            self._insert_keys(keyed)

    def _remember(self, unknown: Iterable[DialogKey]) -> None:
        values: list[object] = [text for key in unknown for text in key]
        for rows, chunk in _chunks(values, statements.DIALOG_WIDTH):
            (found,) = self._connection.execute(statements.select_dialogs(rows), chunk).fetchone()
            for row in msgspec.json.decode(found):
                state = DialogState(row)
                self._dialogs[state.key] = state

    def _find_keys(self, keyed: Sequence[Append]) -> dict[KeyId, KeyRow]:
        values: list[object] = [text for entry in keyed for text in key_id(entry)]
        found: dict[KeyId, KeyRow] = {}
        for rows, chunk in _chunks(values, statements.KEY_ID_WIDTH):
            for row in self._connection.execute(statements.select_keys(rows), chunk).fetchall():
                found[row[0], row[1], row[2]] = row
        return found

    def _insert_events(self, moved: Sequence[DialogState]) -> None:
        values: list[object] = []
        for dialog in moved:  # events of one dialog side by side: half the cost of inserting them mixed
            values += dialog.added
            dialog.added = []
        self._run(statements.insert_events, values, statements.EVENT_WIDTH)

    def _move(self, moved: Sequence[DialogState]) -> None:
        values: list[object] = []
        for d in moved:
            values += (
                d.number, *d.key, d.conversation_id, d.version, d.last_sequence, d.last_at, d.last_content,
                d.owed_since,
            )  # fmt: skip
        self._run(statements.move_dialogs, values, statements.MOVE_WIDTH)

    def _insert_keys(self, keyed: Sequence[Append]) -> None:
        values: list[object] = []
        for entry in keyed:
            if entry.outcome is Outcome.APPENDED:
                values += key_row(entry)
        self._run(statements.insert_keys, values, statements.KEY_WIDTH)

    def _run(self, sql: Callable[[int], str], values: list[object], width: int) -> None:
        for rows, chunk in _chunks(values, width):
            self._connection.execute(sql(rows), chunk)


def _chunks(values: list[object], width: int) -> Iterable[tuple[int, list[object]]]:
    """Slices of few different lengths, so that each length's statement stays prepared."""
    start, left = 0, len(values) // width
    while left:
        rows = next((most for most in _ROWS if left >= most), left)
        yield rows, values[start : start + rows * width]
        start += rows * width
        left -= rows
