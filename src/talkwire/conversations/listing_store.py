"""The SQL of lists of conversations."""

from talkwire.backends.database.port import Database
from talkwire.conversations.model import ConversationQuery, State
from talkwire.identity.model import Principal, Privilege
from talkwire.kernel.ids import ConversationId

MAX_LISTED = 1000
LATEST_MS = 2**63 - 1
"""The latest moment that the databases know."""


class _Conditions:
    """A growing WHERE with its numbered arguments."""

    def __init__(self, account_id: str) -> None:
        self.args: list[object] = [account_id]
        self.terms = ["c.account_id = $1"]

    def add(self, term: str, *args: object) -> None:
        """A term in which each `?` stands for the next argument."""
        for arg in args:
            self.args.append(arg)
            term = term.replace("?", f"${len(self.args)}", 1)
        self.terms.append(term)

    def among(self, column: str, values: list[str]) -> None:
        self.add(f"{column} IN ({', '.join('?' * len(values))})", *values)


async def list_ids(
    database: Database, who: Principal, query: ConversationQuery, now_ms: int
) -> list[ConversationId]:
    """Ids of the conversations a query means, of those that `who` may list, newest first.

    All that a query asks is asked here: what is judged only after the cut hides what is older.
    """
    where = _Conditions(who.account_id)
    if who.is_consumer:
        where.add("c.consumer_id = ?", who.id)
    elif not who.may(Privilege.SEE_ALL_CONVERSATIONS):
        _with_participant(where, [who.id])
    if query.agent_ids:
        _with_participant(where, sorted(query.agent_ids), state="ACTIVE")
    if query.consumer_id:
        where.add("c.consumer_id = ?", query.consumer_id)
    if query.states:
        where.among("c.state", sorted(query.states))
    if query.stages:
        where.among("c.stage", sorted(query.stages))
    _in_time(where, query)
    if query.max_ettr_seconds is not None:
        _owed_by(where, now_ms + query.max_ettr_seconds * 1000)
    where.args.append(min(query.limit, MAX_LISTED))
    rows = await database.read(
        f"SELECT c.conversation_id FROM conversations c WHERE {' AND '.join(where.terms)} "
        f"ORDER BY c.created_at DESC, c.conversation_id LIMIT ${len(where.args)}",
        *where.args,
    )
    return [ConversationId(row["conversation_id"]) for row in rows]


def _with_participant(where: _Conditions, ids: list[str], state: str = "") -> None:
    marks = ", ".join("?" * len(ids))
    term = (
        "c.conversation_id IN (SELECT p.conversation_id FROM conversation_participants p "
        f"WHERE p.account_id = $1 AND p.participant_id IN ({marks})"
    )
    if state:
        where.add(term + " AND p.state = ?)", *ids, state)
    else:
        where.add(term + ")", *ids)


def _in_time(where: _Conditions, query: ConversationQuery) -> None:
    event = (
        "EXISTS (SELECT 1 FROM dialogs d WHERE d.account_id = c.account_id "
        "AND d.conversation_id = c.conversation_id AND d.last_event_at"
    )
    if query.min_last_update_ms is not None:
        at = query.min_last_update_ms
        where.add(f"(c.updated_at >= ? OR {event} >= ?))", at, at)
    if query.max_last_update_ms is not None:
        at = query.max_last_update_ms
        where.add(f"(c.updated_at <= ? AND NOT {event} > ?))", at, at)


def _owed_by(where: _Conditions, at_ms: int) -> None:
    """An answer is owed by this moment: `View.effective_ttr_ms` in SQL. Of the open ones alone, by their index."""
    where.add("c.stage = ? AND c.state = ?", State.OPEN.value, State.OPEN.value)
    where.add(
        "EXISTS (SELECT 1 FROM dialogs m WHERE m.account_id = c.account_id "
        "AND m.dialog_id = c.conversation_id AND m.owed_since > 0 "
        "AND COALESCE(c.manual_ettr, m.owed_since + c.ttr_ms) BETWEEN 0 AND ?)",
        max(-1, min(at_ms, LATEST_MS)),
    )
