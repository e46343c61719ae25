"""The SQL of automatic messages: which conversations may still get some."""

from collections.abc import Sequence

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.kernel.ids import AccountId, ConversationId


async def insert_due(
    tx: Transaction, account_id: AccountId, conversation_id: ConversationId, created_at_ms: int
) -> None:
    await tx.execute(
        "INSERT INTO automatic_messages_due (account_id, conversation_id, created_at) VALUES ($1, $2, $3)",
        *(account_id, conversation_id, created_at_ms),
    )


async def take_due(tx: Transaction, account_id: AccountId, conversation_id: ConversationId) -> bool:
    """Whether the conversation was still open for automatic messages; it is not any more."""
    taken = await tx.execute(
        "DELETE FROM automatic_messages_due WHERE account_id = $1 AND conversation_id = $2",
        account_id,
        conversation_id,
    )
    return taken == 1


async def list_due(database: Database, before_ms: int, limit: int) -> Sequence[Row]:
    """Of every account, those opened before a moment: for the job that looks after what was missed."""
    return await database.read(
        "SELECT account_id, conversation_id, created_at FROM automatic_messages_due "
        "WHERE created_at < $1 ORDER BY created_at LIMIT $2",
        before_ms,
        limit,
    )


async def find_first_message(database: Database, account_id: AccountId, dialog_id: str) -> Row | None:
    """When the consumer's first content came, and the properties it was sent with."""
    rows = await database.read(
        "SELECT at, client_properties FROM events WHERE account_id = $1 AND dialog_id = $2 "
        "AND originator_role = 'CONSUMER' AND kind <> 'accept' ORDER BY sequence LIMIT 1",
        account_id,
        dialog_id,
    )
    return rows[0] if rows else None
