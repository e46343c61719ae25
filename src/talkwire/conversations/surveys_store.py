"""The SQL of surveys: which conversations are in one."""

from talkwire.backends.database.port import Database
from talkwire.kernel.ids import AccountId, ConversationId


async def list_in_survey(
    database: Database, account_id: AccountId, opened_by_ms: int
) -> list[ConversationId]:
    """Those that were opened by a moment, as each whose survey was opened by then must have been."""
    rows = await database.read(
        "SELECT conversation_id FROM conversations "
        "WHERE account_id = $1 AND stage = 'OPEN' AND state = 'CLOSE' AND created_at <= $2",
        account_id,
        opened_by_ms,
    )
    return [ConversationId(row["conversation_id"]) for row in rows]
