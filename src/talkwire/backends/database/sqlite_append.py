"""A run of events as one batch: look up, number what is new, insert, move the dialogs.

Each step of a statement lets go of the interpreter lock and has to win it back from a busy event loop, so
the work is done in few statements of many rows; a bounded number, because binding holds the lock. Where the
dialogs stand is remembered between batches: nobody else writes this file.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from talkwire.backends.database import sqlite_statements as statements
from talkwire.backends.database.port import Append, Outcome

KEY_LIFETIME_MS = 24 * 3600 * 1000
MOST_REMEMBERED = 20_000
_ROWS = (128, 64, 32, 16, 8, 4, 2, 1)

DialogKey = tuple[str, str]
KeyId = tuple[str, str, str]
KeyRow = Sequence[Any]


class DialogState:
    """Where a dialog's log stands, and the columns of the events that this run adds to it."""

    __slots__ = (
        "added", "conversation_id", "key", "last_at", "last_content", "last_sequence", "number", "owed_since",
        "version",
    )  # fmt: skip

    def __init__(self, row: Sequence[Any]) -> None:
        self.number: int = row[0]
        self.key: DialogKey = (row[1], row[2])
        self.conversation_id: str = row[3]
        self.version: int = row[4]
        self.last_sequence: int = row[5]
        self.last_at: int = row[6]
        self.last_content: int = row[7]
        self.owed_since: int = row[8]
        self.added: list[object] = []


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
        moved = _number(entries, self._dialogs, self._find_keys(keyed) if keyed else {})
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
        values: list[object] = [text for entry in keyed for text in _key_id(entry)]
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
                values += _key_row(entry)
        self._run(statements.insert_keys, values, statements.KEY_WIDTH)

    def _run(self, sql: Callable[[int], str], values: list[object], width: int) -> None:
        for rows, chunk in _chunks(values, width):
            self._connection.execute(sql(rows), chunk)


def _chunks(values: list[object], width: int) -> Iterable[tuple[int, list[object]]]:
    """Slices of few different lengths, so that few different statements are prepared."""
    start = 0
    for rows in _ROWS:
        length = rows * width
        while len(values) - start >= length:
            yield rows, values[start : start + length]
            start += length


def _number(
    entries: Sequence[Append], dialogs: Mapping[DialogKey, DialogState], keys: dict[KeyId, KeyRow]
) -> list[DialogState]:
    """Settle each entry; returns the dialogs that moved. Written flat: this runs for every event there is."""
    moved: list[DialogState] = []
    for e in entries:
        if e.idempotency_key is not None and _repeats(e, keys):
            continue
        dialog = dialogs.get((e.account_id, e.dialog_id))
        if dialog is None or dialog.version != e.version:
            e.outcome = Outcome.STALE
            continue
        if not dialog.added:
            moved.append(dialog)
        e.sequence = dialog.last_sequence = dialog.last_sequence + 1
        if e.at_ms > dialog.last_at:
            dialog.last_at = e.at_ms
        else:
            e.at_ms = dialog.last_at
        if e.is_content:
            dialog.last_content = e.sequence
            if e.originator_role != "CONSUMER":
                dialog.owed_since = 0
            elif not dialog.owed_since:
                dialog.owed_since = e.at_ms
        e.outcome = Outcome.APPENDED
        dialog.added += (
            e.account_id, dialog.number, e.sequence, e.event_id, e.at_ms, e.kind, e.originator_id,
            e.originator_role, e.audience, e.read_up_to, e.event, e.metadata, e.client_properties,
        )  # fmt: skip
        if e.idempotency_key is not None:
            keys[_key_id(e)] = _key_row(e)
    return moved


def _repeats(entry: Append, keys: Mapping[KeyId, KeyRow]) -> bool:
    """Settle an entry whose key was used within its lifetime."""
    first = keys.get(_key_id(entry))
    if first is None:
        return False
    _, _, _, fingerprint, at, _, sequence, event_at = first
    if at <= entry.at_ms - KEY_LIFETIME_MS:
        return False
    if fingerprint != entry.fingerprint:
        entry.outcome = Outcome.KEY_REUSED
    else:
        entry.outcome, entry.sequence, entry.at_ms = Outcome.REPEATED, sequence, event_at
    return True


def _key_id(entry: Append) -> KeyId:
    return entry.account_id, entry.originator_id, entry.idempotency_key or ""


def _key_row(e: Append) -> tuple[object, ...]:
    return (*_key_id(e), e.fingerprint, e.at_ms, e.event_id, e.sequence, e.at_ms)
