"""A run of events as one batch: look up, number what is new, insert, move the dialogs.

Each step of a statement lets go of the interpreter lock and has to win it back from a busy event loop, so
the work is done in few statements with many rows each; a bounded number, because binding holds the lock.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain

from talkwire.backends.database.port import Append, Outcome

KEY_LIFETIME_MS = 24 * 3600 * 1000
_WIDTHS = (128, 64, 32, 16, 8, 4, 2, 1)

_EVENT_COLUMNS = (
    "account_id, dialog_id, sequence, event_id, conversation_id, at, kind, originator_id, originator_role,"
    " audience, read_up_to, event, metadata, client_properties"
)
_KEY_COLUMNS = "account_id, participant_id, key, fingerprint, at, ref, sequence, event_at"
_DIALOG_COLUMNS = (
    "account_id, dialog_id, conversation_id, version, last_sequence, last_event_at, last_content_sequence,"
    " owed_since"
)

DialogId = tuple[str, str]
KeyId = tuple[str, str, str]


class DialogRow:
    """The row of a dialog while its events are numbered."""

    __slots__ = ("conversation_id", "last_at", "last_content", "last_sequence", "owed_since", "version")

    def __init__(self, row: Sequence[object]) -> None:
        (self.conversation_id, self.version, self.last_sequence, self.last_at, self.last_content,
         self.owed_since) = row  # type: ignore[assignment]  # fmt: skip


class LogWriter:
    """Appends runs of events on one connection, inside a transaction that somebody else begins and ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def append(self, entries: Sequence[Append]) -> None:
        """Set outcome, sequence and at_ms of every entry, and write what is new."""
        dialogs = self._load_dialogs(dict.fromkeys((e.account_id, e.dialog_id) for e in entries))
        keyed = [e for e in entries if e.idempotency_key is not None]
        keys = self._load_keys(keyed) if keyed else {}
        events: list[tuple[object, ...]] = []
        moved: dict[DialogId, DialogRow] = {}
        for entry in entries:
            if keyed and _repeats(entry, keys):
                continue
            dialog_id = (entry.account_id, entry.dialog_id)
            dialog = dialogs.get(dialog_id)
            if dialog is None or dialog.version != entry.version:
                entry.outcome = Outcome.STALE
                continue
            _number(entry, dialog)
            moved[dialog_id] = dialog
            events.append(_event_row(entry))
            if entry.idempotency_key is not None:
                keys[_key_id(entry)] = _key_row(entry)
        self._write(_insert_events, events)
        self._write(_move_dialogs, [_dialog_row(i, d) for i, d in moved.items()])
        if keyed:
            self._write(_insert_keys, [keys[_key_id(e)] for e in keyed if e.outcome is Outcome.APPENDED])

    def _load_dialogs(self, ids: Iterable[DialogId]) -> dict[DialogId, DialogRow]:
        found = self._read(_select_dialogs, list(ids))
        return {(row[0], row[1]): DialogRow(row[2:]) for row in found}

    def _load_keys(self, keyed: Sequence[Append]) -> dict[KeyId, tuple[object, ...]]:
        rows = self._read(_select_keys, [_key_id(entry) for entry in keyed])
        return {(row[0], row[1], row[2]): row for row in rows}

    def _read(self, sql: Callable[[int], str], rows: list[tuple[str, ...]]) -> list[tuple[object, ...]]:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        found: list[tuple[object, ...]] = []
        for chunk in _chunks(rows):
            found += cursor.execute(sql(len(chunk)), list(chain.from_iterable(chunk)))
        return found

    def _write(self, sql: Callable[[int], str], rows: list[tuple[object, ...]]) -> None:
        for chunk in _chunks(rows):
            self._connection.execute(sql(len(chunk)), list(chain.from_iterable(chunk)))


def _chunks(rows: list[tuple[object, ...]]) -> Iterable[list[tuple[object, ...]]]:
    """Slices of few different lengths, so that few different statements are prepared."""
    start = 0
    for width in _WIDTHS:
        while len(rows) - start >= width:
            yield rows[start : start + width]
            start += width


def _number(entry: Append, dialog: DialogRow) -> None:
    dialog.last_sequence = entry.sequence = dialog.last_sequence + 1
    entry.at_ms = dialog.last_at = max(entry.at_ms, dialog.last_at)
    entry.outcome = Outcome.APPENDED
    if entry.is_content:
        dialog.last_content = entry.sequence
        if entry.originator_role != "CONSUMER":
            dialog.owed_since = 0
        elif not dialog.owed_since:
            dialog.owed_since = entry.at_ms


def _repeats(entry: Append, keys: dict[KeyId, tuple[object, ...]]) -> bool:
    """Settle an entry whose key was used within the last day."""
    first = keys.get(_key_id(entry)) if entry.idempotency_key is not None else None
    if first is None or first[4] <= entry.at_ms - KEY_LIFETIME_MS:  # type: ignore[operator]
        return False
    if first[3] != entry.fingerprint:
        entry.outcome = Outcome.KEY_REUSED
        return True
    entry.outcome = Outcome.REPEATED
    entry.sequence, entry.at_ms = first[6], first[7]  # type: ignore[assignment]
    return True


def _key_id(entry: Append) -> KeyId:
    return entry.account_id, entry.originator_id, entry.idempotency_key or ""


def _key_row(e: Append) -> tuple[object, ...]:
    return (*_key_id(e), e.fingerprint, e.at_ms, e.event_id, e.sequence, e.at_ms)


def _event_row(e: Append) -> tuple[object, ...]:
    return (
        e.account_id, e.dialog_id, e.sequence, e.event_id, e.conversation_id, e.at_ms, e.kind,
        e.originator_id, e.originator_role, e.audience, e.read_up_to, e.event, e.metadata,
        e.client_properties,
    )  # fmt: skip


def _dialog_row(i: DialogId, d: DialogRow) -> tuple[object, ...]:
    return (*i, d.conversation_id, d.version, d.last_sequence, d.last_at, d.last_content, d.owed_since)


def _values(width: int, rows: int) -> str:
    return ", ".join(["(" + ", ".join("?" * width) + ")"] * rows)


@lru_cache
def _select_dialogs(rows: int) -> str:
    return f"SELECT {_DIALOG_COLUMNS} FROM dialogs WHERE (account_id, dialog_id) IN (VALUES {_values(2, rows)})"


@lru_cache
def _select_keys(rows: int) -> str:
    wanted = f"(account_id, participant_id, key) IN (VALUES {_values(3, rows)})"
    return f"SELECT {_KEY_COLUMNS} FROM idempotency_keys WHERE {wanted}"


@lru_cache
def _insert_events(rows: int) -> str:
    return f"INSERT INTO events ({_EVENT_COLUMNS}) VALUES {_values(14, rows)}"


@lru_cache
def _move_dialogs(rows: int) -> str:
    return (
        f"INSERT INTO dialogs ({_DIALOG_COLUMNS}) VALUES {_values(8, rows)}"
        " ON CONFLICT (account_id, dialog_id) DO UPDATE SET last_sequence = excluded.last_sequence,"
        " last_event_at = excluded.last_event_at, last_content_sequence = excluded.last_content_sequence,"
        " owed_since = excluded.owed_since"
    )


@lru_cache
def _insert_keys(rows: int) -> str:
    return (
        f"INSERT OR REPLACE INTO idempotency_keys ({_KEY_COLUMNS}) VALUES {_values(8, rows)}"
    )
