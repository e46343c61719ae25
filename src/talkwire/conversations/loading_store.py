"""The SQL that views are built from. `read` is the database's or a transaction's."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from talkwire.backends.database.port import Row
from talkwire.conversations.model import Conversation
from talkwire.conversations.store import record_of
from talkwire.conversations.views import DialogLog
from talkwire.kernel.ids import AccountId, ConversationId, DialogId

Read = Callable[..., Awaitable[Sequence[Row]]]

AUDIENCE_ALL = "ALL"


def _list(first: int, count: int) -> str:
    return ", ".join(f"${n}" for n in range(first, first + count))


async def records(read: Read, account_id: AccountId, ids: Sequence[ConversationId]) -> list[Conversation]:
    rows = await read(
        "SELECT record FROM conversations "
        f"WHERE account_id = $1 AND conversation_id IN ({_list(2, len(ids))})",
        account_id,
        *ids,
    )
    return [record_of(row) for row in rows]


async def dialogs(
    read: Read, account_id: AccountId, ids: Sequence[ConversationId]
) -> dict[tuple[ConversationId, DialogId], DialogLog]:
    """Where each dialog's log stands, without its contents."""
    rows = await read(
        "SELECT conversation_id, dialog_id, last_sequence, last_event_at, last_content_sequence, owed_since "
        f"FROM dialogs WHERE account_id = $1 AND conversation_id IN ({_list(2, len(ids))})",
        account_id,
        *ids,
    )
    logs: dict[tuple[ConversationId, DialogId], DialogLog] = {}
    for row in rows:
        log = DialogLog(row["last_sequence"], row["last_event_at"], row["owed_since"])
        log.last_content_sequence = row["last_content_sequence"]
        logs[row["conversation_id"], row["dialog_id"]] = log
    return logs


async def recent_contents(
    read: Read, account_id: AccountId, ends: Mapping[DialogId, int], count: int
) -> Sequence[Row]:
    """Content among the last `count` events of each dialog up to its end, ascending."""
    if not ends:
        return ()
    args: list[object] = [account_id]
    for dialog_id, last_sequence in ends.items():
        args += [dialog_id, last_sequence - count, last_sequence]
    return await read(
        # CROSS: SQLite keeps to the order written, and does not walk all dialogs of the account
        f"WITH wanted (dialog_id, low, high) AS (VALUES {_values(('TEXT', 'BIGINT', 'BIGINT'), len(ends))}) "
        "SELECT e.dialog_id, e.sequence, e.originator_id, e.audience FROM wanted w CROSS JOIN events e "
        "WHERE e.account_id = $1 AND e.dialog_id = w.dialog_id "
        "AND e.sequence > w.low AND e.sequence <= w.high AND e.kind <> 'accept' "
        "ORDER BY e.dialog_id, e.sequence",
        *args,
    )


async def read_marks(read: Read, account_id: AccountId, dialog_ids: Sequence[DialogId]) -> Sequence[Row]:
    """The highest sequence that each participant said to have READ, per dialog."""
    if not dialog_ids:
        return ()
    return await read(
        "SELECT dialog_id, originator_id, MAX(read_up_to) AS read_up_to FROM events "
        f"WHERE account_id = $1 AND dialog_id IN ({_list(2, len(dialog_ids))}) AND read_up_to IS NOT NULL "
        "GROUP BY dialog_id, originator_id",
        account_id,
        *dialog_ids,
    )


async def events(read: Read, account_id: AccountId, wanted: Sequence[tuple[DialogId, int]]) -> Sequence[Row]:
    """Whole rows of single events."""
    if not wanted:
        return ()
    args = [value for pair in wanted for value in pair]
    return await read(
        f"WITH wanted (dialog_id, sequence) AS (VALUES {_values(('TEXT', 'BIGINT'), len(wanted))}) "
        "SELECT e.* FROM wanted w CROSS JOIN events e "
        "WHERE e.account_id = $1 AND e.dialog_id = w.dialog_id AND e.sequence = w.sequence",
        account_id,
        *args,
    )


async def last_public_content(read: Read, account_id: AccountId, dialog_id: DialogId, up_to: int) -> int:
    """Sequence of the newest content with audience ALL at or before `up_to`; -1 when there is none."""
    rows = await read(
        "SELECT sequence FROM events WHERE account_id = $1 AND dialog_id = $2 AND sequence <= $3 "
        "AND kind <> 'accept' AND audience = $4 ORDER BY sequence DESC LIMIT 1",
        account_id,
        dialog_id,
        up_to,
        AUDIENCE_ALL,
    )
    return int(rows[0]["sequence"]) if rows else -1


def _values(types: Sequence[str], rows: int) -> str:
    """Rows of arguments from $2 on, with their types: PostgreSQL takes a bare one in VALUES for text."""
    width = len(types)
    return ", ".join(
        "(" + ", ".join(f"CAST(${2 + row * width + n} AS {name})" for n, name in enumerate(types)) + ")"
        for row in range(rows)
    )
