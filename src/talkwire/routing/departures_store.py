"""The SQL of departures: agents who are deleted or disabled, and where they still are.

`agents.departure` is set to 1 (GONE) in the unit that deletes or disables, to 2 (CLEARED) once all
conversations were looked through, to 0 when the agent is enabled again.
"""

from typing import NamedTuple

from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId

GONE, CLEARED = 1, 2


class Departed(NamedTuple):
    account_id: AccountId
    agent_id: ParticipantId


async def departed_to_clear(database: Database) -> list[Departed]:
    """Of every account: who is gone and not looked after yet, or was given something at the last moment.

    One step in an index of the gone for each of them, and one in that of what is held.
    """
    rows = await database.read(
        "SELECT a.account_id, a.agent_id FROM agents a WHERE a.departure <> 0 AND (a.departure = $1 "
        "OR EXISTS (SELECT 1 FROM conversations c WHERE c.account_id = a.account_id "
        "AND c.assigned_agent_id = a.agent_id AND c.state = 'OPEN' AND c.assigned_agent_id <> '') "
        "OR EXISTS (SELECT 1 FROM rings r WHERE r.account_id = a.account_id "
        "AND r.agent_id = a.agent_id AND r.state = 'WAITING') "
        "OR (a.account_id, a.agent_id) IN (SELECT p.account_id, p.participant_id "
        "FROM conversation_participants p WHERE p.state = 'SUGGESTED')) "
        "ORDER BY a.account_id, a.agent_id",
        GONE,
    )
    return [Departed(AccountId(row["account_id"]), ParticipantId(row["agent_id"])) for row in rows]


async def conversations_with(database: Database, departed: Departed) -> list[ConversationId]:
    """Ids of the open conversations that the agent takes part in, in any role or state, or is rung for."""
    # p.state: without it SQLite walks its primary key through all participants of the account
    rows = await database.read(
        "SELECT p.conversation_id FROM conversation_participants p JOIN conversations c "
        "ON c.account_id = p.account_id AND c.conversation_id = p.conversation_id "
        "WHERE p.account_id = $1 AND p.participant_id = $2 "
        "AND p.state IN ('ACTIVE', 'SUGGESTED') AND c.state = 'OPEN' "
        "UNION SELECT r.conversation_id FROM rings r "
        "WHERE r.account_id = $1 AND r.agent_id = $2 AND r.state = 'WAITING'",
        *departed,
    )
    return [ConversationId(row["conversation_id"]) for row in rows]


async def is_departed(tx: Transaction, departed: Departed) -> bool:
    """Whether it still is so: it may have been enabled again meanwhile."""
    return bool(
        await tx.fetch(
            "SELECT 1 FROM agents WHERE account_id = $1 AND agent_id = $2 AND departure <> 0", *departed
        )
    )


async def set_cleared(tx: Transaction, departed: Departed) -> None:
    """Write down that the agent was taken out of all conversations."""
    await tx.execute(
        "UPDATE agents SET departure = $3 WHERE account_id = $1 AND agent_id = $2 AND departure = $4",
        *(*departed, CLEARED, GONE),
    )
