"""The SQL of steps: written with the version they belong to."""

from collections.abc import Sequence

from talkwire.backends.database.port import Transaction
from talkwire.conversations.model import Conversation
from talkwire.conversations.steps import Step


async def insert_steps(tx: Transaction, conversation: Conversation, steps: Sequence[Step]) -> None:
    if not steps:
        return
    await tx.execute_many(
        "INSERT INTO conversation_steps "
        "(account_id, conversation_id, version, number, kind, at, participant_id, role, skill_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (
                *(conversation.account_id, conversation.conversation_id, step.version, number),
                *(step.kind.value, step.at_ms, step.participant_id, step.role, step.skill_id),
            )
            for number, step in enumerate(steps, 1)
        ],
    )
