"""The SQL of routing: agent states, rings, the queue."""

from collections.abc import Iterable, Sequence

import msgspec

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.conversations.model import Conversation
from talkwire.conversations.store import record_of
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId, SkillId
from talkwire.routing.model import AgentState, Availability, Ring, RingState

RING_KIND = "ring"
AGENT_STATE_KIND = "agent_state"
HISTORY_PER_CONVERSATION = 50
RANK_APART = 1_000_000_000_000_000
"""More milliseconds than any moment has: what is urgent comes before what waits longer."""


def ring_of(row: Row) -> Ring:
    return Ring(
        account_id=AccountId(row["account_id"]),
        ring_id=row["ring_id"],
        conversation_id=ConversationId(row["conversation_id"]),
        agent_id=ParticipantId(row["agent_id"]),
        consumer_id=ParticipantId(row["consumer_id"]),
        skill_id=SkillId(row["skill_id"]),
        state=RingState(row["state"]),
        is_transfer=bool(row["is_transfer"]),
        weight=row["weight"],
        created_at_ms=row["created_at"],
        expires_at_ms=row["expires_at"],
        settled_at_ms=row["settled_at"],
    )


def _state_of(row: Row) -> AgentState:
    return AgentState(
        account_id=AccountId(row["account_id"]),
        agent_id=ParticipantId(row["agent_id"]),
        old_id=row["old_id"],
        availability=Availability(row["availability"]),
        channels=tuple(msgspec.json.decode(row["channels"], type=list[str])),
        description=row["description"],
        updated_at_ms=row["updated_at"],
    )


async def all_waiting_rings(database: Database) -> list[Ring]:
    """Of every account: asked once, when a node starts."""
    return [ring_of(r) for r in await database.read("SELECT * FROM rings WHERE state = 'WAITING'")]


async def all_present_agents(database: Database) -> list[AgentState]:
    """Of every account, those not OFFLINE: asked once, when a node starts."""
    rows = await database.read("SELECT * FROM agent_states WHERE availability <> 'OFFLINE'")
    return [_state_of(row) for row in rows]


async def accounts_with_suggestions(database: Database) -> list[AccountId]:
    """Asked once, when a node starts."""
    rows = await database.read(
        "SELECT DISTINCT account_id FROM conversation_participants WHERE state = 'SUGGESTED'"
    )
    return [AccountId(row["account_id"]) for row in rows]


async def save_agent_state(tx: Transaction, state: AgentState) -> None:
    await tx.execute(
        "INSERT INTO agent_states "
        "(account_id, agent_id, old_id, availability, channels, description, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, agent_id) DO UPDATE SET "
        "old_id = excluded.old_id, availability = excluded.availability, channels = excluded.channels, "
        "description = excluded.description, updated_at = excluded.updated_at",
        state.account_id,
        state.agent_id,
        state.old_id,
        state.availability.value,
        msgspec.json.encode(state.channels).decode(),
        state.description,
        state.updated_at_ms,
    )
    await _note(tx, state.account_id, AGENT_STATE_KIND, [state.agent_id], state.updated_at_ms)


async def find_ring(tx: Transaction, account_id: AccountId, ring_id: str) -> Ring | None:
    rows = await tx.fetch("SELECT * FROM rings WHERE account_id = $1 AND ring_id = $2", account_id, ring_id)
    return ring_of(rows[0]) if rows else None


async def waiting_rings_of(
    tx: Transaction, account_id: AccountId, conversation_id: ConversationId
) -> list[Ring]:
    """Rings of one conversation that nobody has answered, expired ones not yet written down included."""
    rows = await tx.fetch(
        "SELECT * FROM rings WHERE account_id = $1 AND conversation_id = $2 AND state = $3",
        account_id,
        conversation_id,
        RingState.WAITING.value,
    )
    return [ring_of(row) for row in rows]


async def last_ring_ms(tx: Transaction, account_id: AccountId, conversation_id: ConversationId) -> int:
    """The moment in the id of the conversation's newest ring; 0 when it never had one."""
    rows = await tx.fetch(
        "SELECT MAX(created_at) AS last FROM rings WHERE account_id = $1 AND conversation_id = $2",
        account_id,
        conversation_id,
    )
    return rows[0]["last"] or 0


async def insert_ring(tx: Transaction, ring: Ring) -> None:
    await tx.execute(
        "INSERT INTO rings (account_id, ring_id, conversation_id, agent_id, consumer_id, skill_id, state, "
        "is_transfer, weight, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        *(ring.account_id, ring.ring_id, ring.conversation_id, ring.agent_id, ring.consumer_id),
        *(ring.skill_id, ring.state.value, int(ring.is_transfer), ring.weight),
        *(ring.created_at_ms, ring.expires_at_ms),
    )
    await _note(tx, ring.account_id, RING_KIND, [ring.ring_id], ring.created_at_ms)


async def settle_rings(tx: Transaction, rings: Sequence[Ring]) -> list[Ring]:
    """Write down how rings ended; gives those that had not ended before."""
    settled = []
    for ring in rings:
        changed = await tx.execute(
            "UPDATE rings SET state = $3, settled_at = $4 "
            "WHERE account_id = $1 AND ring_id = $2 AND state = 'WAITING'",
            *(ring.account_id, ring.ring_id, ring.state.value, ring.settled_at_ms),
        )
        if changed:
            await _note(tx, ring.account_id, RING_KIND, [ring.ring_id], ring.settled_at_ms or 0)
            settled.append(ring)
    return settled


async def lock_account(tx: Transaction, account_id: AccountId, now_ms: int) -> None:
    """Let one node at a time make offers in an account."""
    await tx.execute(
        "INSERT INTO routing_passes (account_id, at) VALUES ($1, $2) "
        "ON CONFLICT (account_id) DO UPDATE SET at = excluded.at",
        account_id,
        now_ms,
    )


async def purge_rings(database: Database, before_ms: int) -> None:
    """Forget how old offers ended, of every account: they age alike in all, and lie in an index by age."""

    async def unit(tx: Transaction) -> None:
        await tx.execute("DELETE FROM rings WHERE created_at < $1 AND state <> 'WAITING'", before_ms)

    await database.write(unit)


async def list_states(database: Database, account_id: AccountId) -> list[AgentState]:
    """Every agent who ever had a state."""
    rows = await database.read("SELECT * FROM agent_states WHERE account_id = $1", account_id)
    return [_state_of(row) for row in rows]


async def loads(database: Database, account_id: AccountId) -> dict[ParticipantId, int]:
    """Open conversations that each agent holds."""
    rows = await database.read(
        "SELECT assigned_agent_id, COUNT(*) AS held FROM conversations WHERE account_id = $1 "
        "AND state = 'OPEN' AND assigned_agent_id <> '' GROUP BY assigned_agent_id",
        account_id,
    )
    return {ParticipantId(row["assigned_agent_id"]): row["held"] for row in rows}


async def waiting_skills(database: Database, account_id: AccountId, *, transfers_only: bool) -> list[SkillId]:
    """Skills under which somebody waits without a ring, in the order in which their first are to be served.

    Some steps in the index for each, however long the queues are.
    """
    rows = await database.read(
        "WITH RECURSIVE found (skill_id) AS ("
        "SELECT MIN(skill_id) FROM conversations WHERE account_id = $1 AND queued_at IS NOT NULL "
        "UNION ALL SELECT (SELECT MIN(c.skill_id) FROM conversations c WHERE c.account_id = $1 "
        "AND c.queued_at IS NOT NULL AND c.skill_id > found.skill_id) "
        "FROM found WHERE found.skill_id IS NOT NULL), "
        "firsts (skill_id, place) AS (SELECT found.skill_id, "
        f"(SELECT c.queue_rank * {RANK_APART} + c.queued_at {_waiting('found.skill_id', transfers_only)} LIMIT 1) "
        "FROM found WHERE found.skill_id IS NOT NULL) "
        "SELECT skill_id FROM firsts WHERE place IS NOT NULL ORDER BY place, skill_id",
        account_id,
    )
    return [SkillId(row["skill_id"]) for row in rows]


async def head_of_queue(
    database: Database, account_id: AccountId, skill_id: SkillId, count: int, *, transfers_only: bool
) -> list[Conversation]:
    """The first conversations under a skill that wait without a ring."""
    rows = await database.read(
        f"SELECT c.record {_waiting('$2', transfers_only)} LIMIT $3", *(account_id, skill_id, count)
    )
    return [record_of(row) for row in rows]


def _waiting(skill: str, transfers_only: bool) -> str:  # noqa: FBT001 -- what is put into two statements
    """The rest of a statement over one skill's conversations that wait without a ring, in their order."""
    again = "AND c.was_assigned = 1 " if transfers_only else ""
    return (
        f"FROM conversations c WHERE c.account_id = $1 AND c.skill_id = {skill} "
        f"AND c.queued_at IS NOT NULL {again}AND NOT EXISTS (SELECT 1 FROM rings r "
        "WHERE r.account_id = c.account_id AND r.conversation_id = c.conversation_id "
        "AND r.state = 'WAITING') ORDER BY c.queue_rank, c.queued_at"
    )


async def waiting_among(
    database: Database, account_id: AccountId, ids: Sequence[ConversationId]
) -> list[Conversation]:
    """Those of these conversations that wait."""
    if not ids:
        return []
    marks = ", ".join(f"${n}" for n in range(2, 2 + len(ids)))
    rows = await database.read(
        "SELECT record FROM conversations WHERE account_id = $1 AND queued_at IS NOT NULL "
        f"AND conversation_id IN ({marks})",
        account_id,
        *ids,
    )
    return [record_of(row) for row in rows]


async def suggested(database: Database, account_id: AccountId) -> list[Conversation]:
    """Conversations that are suggested to somebody."""
    rows = await database.read(
        "SELECT c.record FROM conversation_participants p JOIN conversations c "
        "ON c.account_id = p.account_id AND c.conversation_id = p.conversation_id "
        "WHERE p.account_id = $1 AND p.state = 'SUGGESTED'",
        account_id,
    )
    return [record_of(row) for row in rows]


async def history(
    database: Database, account_id: AccountId, conversations: Sequence[Conversation]
) -> dict[ConversationId, list[Ring]]:
    """Rings of these conversations under their present skill, oldest first."""
    skills = {c.conversation_id: c.skill_id for c in conversations}
    if not skills:
        return {}
    marks = ", ".join(f"${n}" for n in range(2, 2 + len(skills)))
    rows = await database.read(
        f"SELECT * FROM rings WHERE account_id = $1 AND conversation_id IN ({marks}) ORDER BY created_at",
        account_id,
        *skills,
    )
    found: dict[ConversationId, list[Ring]] = {}
    for ring in map(ring_of, rows):
        if ring.skill_id == skills[ring.conversation_id]:
            found.setdefault(ring.conversation_id, []).append(ring)
    return {i: rings[-HISTORY_PER_CONVERSATION:] for i, rings in found.items()}


async def known_skills(database: Database, account_id: AccountId) -> frozenset[SkillId]:
    rows = await database.read(
        "SELECT skill_id FROM skills WHERE account_id = $1 AND is_deleted = 0", account_id
    )
    return frozenset(SkillId(row["skill_id"]) for row in rows)


async def _note(tx: Transaction, account_id: AccountId, kind: str, refs: Iterable[str], now_ms: int) -> None:
    await tx.execute_many(
        "INSERT INTO changes (account_id, kind, ref, at) VALUES ($1, $2, $3, $4)",
        [(account_id, kind, ref, now_ms) for ref in refs],
    )
