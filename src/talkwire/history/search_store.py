"""The SQL of the past: which conversations a search means, and all that their records are made of."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from talkwire.backends.database.port import Database, Row
from talkwire.conversations.loading_store import records
from talkwire.conversations.model import Conversation
from talkwire.conversations.steps import Step, StepKind
from talkwire.history.search_model import PastEvent, Query, Span
from talkwire.kernel.ids import AccountId, ConversationId

_JOINED = (
    "c.conversation_id IN (SELECT s.conversation_id FROM conversation_steps s WHERE s.account_id = $1 "
    "AND s.kind = 'JOINED' AND s.participant_id IN ({marks}))"
)
_FEW = (
    "(SELECT DISTINCT s.conversation_id AS joined_id FROM conversation_steps s WHERE s.account_id = $1 "
    "AND s.kind = 'JOINED' AND s.participant_id IN ({marks})) j CROSS JOIN conversations c"
)
FEW = 5_000
"""Conversations that are faster looked up one by one than found among all of an account's."""

_UNDER_SKILL = (
    "(c.skill_id IN ({marks}) OR c.conversation_id IN (SELECT s.conversation_id FROM conversation_steps s "
    "WHERE s.account_id = $1 AND s.kind = 'SKILL' AND s.skill_id IN ({marks})))"
)


class Limits(NamedTuple):
    """How much of a log is read at once: of one conversation, and of all of a page."""

    per_dialog: int
    in_all: int


class _Where:
    """A growing WHERE over `conversations c`, with its numbered arguments."""

    def __init__(self, account_id: AccountId) -> None:
        self.args: list[object] = [account_id]
        self.terms = ["c.account_id = $1"]
        self.source = "conversations c"

    def add(self, term: str, *args: object) -> None:
        """A term in which each `?` stands for the next argument."""
        self.terms.append(self._numbered(term, args))

    def start_from_joined(self, agent_ids: Iterable[str]) -> None:
        """Begin with what these took part in. CROSS: SQLite keeps to the order written."""
        listed = sorted(agent_ids)
        self.source = self._numbered(_FEW.replace("{marks}", ", ".join("?" * len(listed))), listed)
        self.terms.append("c.conversation_id = j.joined_id")

    def among(self, term: str, values: Iterable[str], times: int = 1) -> None:
        """A term in which each `{marks}` stands for all values. No value means: nothing matches."""
        listed = sorted(values) or [""]
        self.add(term.replace("{marks}", ", ".join("?" * len(listed))), *listed * times)

    def between(self, expression: str, span: Span | None) -> None:
        if span is not None:
            self.add(f"{expression} >= ?", span.start)
            self.add(f"{expression} <= ?", span.end)

    def _numbered(self, text: str, args: Iterable[object]) -> str:
        for arg in args:
            self.args.append(arg)
            text = text.replace("?", f"${len(self.args)}", 1)
        return text

    def __str__(self) -> str:
        return f"FROM {self.source} WHERE {' AND '.join(self.terms)}"


def _where(account_id: AccountId, query: Query, now_ms: int) -> _Where:
    where = _Where(account_id)
    agent_ids, seen_by = query.agent_ids, query.seen_by
    if query.is_few:
        where.start_from_joined(agent_ids if seen_by is None else [seen_by])  # type: ignore[arg-type]
        agent_ids, seen_by = (None if seen_by is None else agent_ids), None
    where.between("c.created_at", query.started)
    where.between("c.closed_at", query.ended)
    if query.consumer_id:
        where.add("c.consumer_id = ?", query.consumer_id)
    if query.conversation_ids:
        where.among("c.conversation_id IN ({marks})", query.conversation_ids)
    if query.states:
        where.among("c.stage IN ({marks})", query.states)
    if query.latest_skill_ids:
        where.among("c.skill_id IN ({marks})", query.latest_skill_ids)
    if query.skill_ids:
        where.among(_UNDER_SKILL, query.skill_ids, times=2)
    if query.latest_agent_ids is not None:
        where.among("c.assigned_agent_id IN ({marks})", query.latest_agent_ids)
    if agent_ids is not None:
        where.among(_JOINED, agent_ids)
    if seen_by is not None:
        where.among(_JOINED, [seen_by])
    if query.duration_ms is not None:
        where.between(f"COALESCE(c.closed_at, {now_ms}) - c.created_at", query.duration_ms)
    return where


async def count(database: Database, account_id: AccountId, query: Query, now_ms: int) -> int:
    where = _where(account_id, query, now_ms)
    rows = await database.read(f"SELECT COUNT(*) AS n {where}", *where.args)
    return int(rows[0]["n"])


async def took_part_in_few(database: Database, account_id: AccountId, agent_ids: Iterable[str]) -> bool:
    """Whether these took part in at most FEW conversations."""
    listed = sorted(agent_ids)
    marks = ", ".join(f"${number}" for number in range(3, len(listed) + 3))
    rows = await database.read(
        "SELECT COUNT(*) AS n FROM (SELECT 1 FROM conversation_steps WHERE account_id = $1 "
        f"AND kind = 'JOINED' AND participant_id IN ({marks}) LIMIT $2) found",
        account_id,
        FEW + 1,
        *listed,
    )
    return int(rows[0]["n"]) <= FEW


async def page(database: Database, account_id: AccountId, query: Query, now_ms: int) -> list[ConversationId]:
    """Ids of one page, in its order."""
    where = _where(account_id, query, now_ms)
    order = "DESC" if query.page.newest_first else "ASC"
    # few rows: better sorted than found by walking the account in this order
    are_few = query.is_few or query.consumer_id or query.conversation_ids
    moment = "c.created_at + 0" if are_few else "c.created_at"
    number = len(where.args)
    rows = await database.read(
        f"SELECT c.conversation_id {where} "
        f"ORDER BY {moment} {order}, c.conversation_id {order} LIMIT ${number + 1} OFFSET ${number + 2}",
        *where.args,
        query.page.limit,
        query.page.offset,
    )
    return [ConversationId(row["conversation_id"]) for row in rows]


async def conversations(
    database: Database, account_id: AccountId, ids: Sequence[ConversationId]
) -> list[Conversation]:
    """The records, in the order of the ids."""
    found = {c.conversation_id: c for c in await records(database.read, account_id, ids)} if ids else {}
    return [found[i] for i in ids if i in found]


async def steps(
    database: Database, account_id: AccountId, ids: Sequence[ConversationId]
) -> dict[str, list[Step]]:
    """What happened in each conversation, in its order."""
    if not ids:
        return {}
    rows = await database.read(
        "SELECT * FROM conversation_steps WHERE account_id = $1 "
        f"AND conversation_id IN ({_marks(ids)}) ORDER BY conversation_id, version, number",
        account_id,
        *ids,
    )
    found: dict[str, list[Step]] = {}
    for row in rows:
        step = Step(
            StepKind(row["kind"]),
            row["version"],
            row["at"],
            row["skill_id"],
            row["participant_id"],
            row["role"],
        )
        found.setdefault(row["conversation_id"], []).append(step)
    return found


async def events(
    database: Database, account_id: AccountId, ids: Sequence[ConversationId], limits: Limits
) -> Sequence[Row]:
    """The log of these conversations, each dialog from its start, ascending; of long ones the first events."""
    if not ids:
        return ()
    # CROSS: SQLite keeps to the order written, and does not walk all dialogs of the account
    return await database.read(
        "SELECT d.conversation_id, d.dialog_id, e.sequence, e.event_id, e.at, e.kind, e.originator_id, "
        "e.originator_role, e.audience, e.event, e.metadata "
        "FROM dialogs d CROSS JOIN logged_events e WHERE d.account_id = $1 "
        f"AND d.conversation_id IN ({_marks(ids)}) AND e.account_id = $1 AND e.dialog_number = d.number "
        f"AND e.sequence < ${len(ids) + 2} ORDER BY d.conversation_id, d.number, e.sequence "
        f"LIMIT ${len(ids) + 3}",
        account_id,
        *ids,
        limits.per_dialog,
        limits.in_all,
    )


async def lengths(database: Database, account_id: AccountId, ids: Sequence[ConversationId]) -> dict[str, int]:
    """How many events each conversation's log holds."""
    if not ids:
        return {}
    rows = await database.read(
        "SELECT conversation_id, SUM(last_sequence + 1) AS n FROM dialogs WHERE account_id = $1 "
        f"AND conversation_id IN ({_marks(ids)}) GROUP BY conversation_id",
        account_id,
        *ids,
    )
    return {row["conversation_id"]: int(row["n"]) for row in rows}


def past_event(row: Row, told: bytes | None = None) -> PastEvent:
    """`told`: the event with what is kept elsewhere joined in."""
    metadata = row["metadata"]
    return PastEvent(
        row["dialog_id"],
        row["sequence"],
        row["at"],
        row["kind"],
        row["originator_id"],
        row["originator_role"],
        row["audience"],
        bytes(row["event"]) if told is None else told,
        None if metadata is None else bytes(metadata),
    )


def _marks(ids: Sequence[ConversationId]) -> str:
    """Arguments from $2 on."""
    return ", ".join(f"${number}" for number in range(2, len(ids) + 2))
