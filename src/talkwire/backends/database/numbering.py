"""How events get their numbers: the decision both adapters make inside the commit, on rows they hold locked."""

from collections.abc import Mapping, Sequence
from typing import Any

from talkwire.backends.database.port import Append, Outcome

KEY_LIFETIME_MS = 24 * 3600 * 1000

EVENT_COLUMNS = (
    "account_id, dialog_number, sequence, event_id, at, kind, originator_id, originator_role, audience,"
    " read_up_to, event, metadata, client_properties"
)
DIALOG_COLUMNS = (
    "number, account_id, dialog_id, conversation_id, version, last_sequence, last_event_at,"
    " last_content_sequence, owed_since"
)
KEY_COLUMNS = "account_id, participant_id, key, fingerprint, at, ref, sequence, event_at"

DialogKey = tuple[str, str]
KeyId = tuple[str, str, str]
KeyRow = Sequence[Any]


class DialogState:
    """Where a dialog's log stands, and what this run adds to it: values one after another, by EVENT_COLUMNS."""

    __slots__ = (
        "added", "conversation_id", "key", "last_at", "last_content", "last_sequence", "number", "owed_since",
        "version",
    )  # fmt: skip

    def __init__(self, row: Sequence[Any]) -> None:
        """From a row of DIALOG_COLUMNS."""
        self.number: int = row[0]
        self.key: DialogKey = (row[1], row[2])
        self.conversation_id: str = row[3]
        self.version: int = row[4]
        self.last_sequence: int = row[5]
        self.last_at: int = row[6]
        self.last_content: int = row[7]
        self.owed_since: int = row[8]
        self.added: list[object] = []


def number(
    entries: Sequence[Append], dialogs: Mapping[DialogKey, DialogState], keys: dict[KeyId, KeyRow]
) -> list[DialogState]:
    """Settle each entry; returns the dialogs that moved. Written flat: this runs for every event there is."""
    moved: list[DialogState] = []
    for e in entries:
        if e.idempotency_key is not None and _repeats(e, keys):
            continue
        dialog = dialogs.get((e.account_id, e.dialog_id))
        if dialog is None or dialog.version != e.version:
            e.outcome, e.sequence = Outcome.STALE, -1
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
            if e.originator_role == "CONSUMER":
                dialog.owed_since = dialog.owed_since or e.at_ms
            elif e.audience == "ALL" and e.originator_role != "CONTROLLER":  # a real answer
                dialog.owed_since = 0
        e.outcome = Outcome.APPENDED
        dialog.added += (
            e.account_id, dialog.number, e.sequence, e.event_id, e.at_ms, e.kind, e.originator_id,
            e.originator_role, e.audience, e.read_up_to, e.event, e.metadata, e.client_properties,
        )  # fmt: skip
        if e.idempotency_key is not None:
            keys[key_id(e)] = key_row(e)
    return moved


def _repeats(entry: Append, keys: Mapping[KeyId, KeyRow]) -> bool:
    """Settle an entry whose key was used within its lifetime."""
    first = keys.get(key_id(entry))
    if first is None:
        return False
    _, _, _, fingerprint, at, _, sequence, event_at = first
    if at <= entry.at_ms - KEY_LIFETIME_MS:
        return False
    if fingerprint != entry.fingerprint:
        entry.outcome, entry.sequence = Outcome.KEY_REUSED, -1
    else:
        entry.outcome, entry.sequence, entry.at_ms = Outcome.REPEATED, sequence, event_at
    return True


def key_id(entry: Append) -> KeyId:
    return entry.account_id, entry.originator_id, entry.idempotency_key or ""


def key_row(e: Append) -> tuple[object, ...]:
    return (*key_id(e), e.fingerprint, e.at_ms, e.event_id, e.sequence, e.at_ms)
