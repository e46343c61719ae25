"""The SQL of conversations: records, participants, dialogs, keys."""

from collections.abc import Sequence

import msgspec

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.conversations.model import Conversation, NewConversation, ParticipantState, State, TtrType
from talkwire.conversations.steps import steps_between
from talkwire.conversations.steps_store import insert_steps
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Conversation).decode

CHANGE_KIND = "conversation"
KEY_LIFE_MS = 86_400_000
"""An idempotency key is honoured for a day."""


def record_of(row: Row) -> Conversation:
    return _decode(row["record"])


async def find(database: Database, account_id: AccountId, conversation_id: str) -> Conversation | None:
    rows = await database.read(
        "SELECT record FROM conversations WHERE account_id = $1 AND conversation_id = $2",
        account_id,
        conversation_id,
    )
    return record_of(rows[0]) if rows else None


async def conversation_of_dialog(
    database: Database, account_id: AccountId, dialog_id: str
) -> ConversationId | None:
    rows = await database.read(
        "SELECT conversation_id FROM dialogs WHERE account_id = $1 AND dialog_id = $2", account_id, dialog_id
    )
    return ConversationId(rows[0]["conversation_id"]) if rows else None


async def lock(tx: Transaction, account_id: AccountId, conversation_id: str) -> Conversation | None:
    """The record as it stands, kept still until the unit ends: lock and read are one statement."""
    rows = await tx.fetch(
        "UPDATE conversations SET version = version "
        "WHERE account_id = $1 AND conversation_id = $2 RETURNING record",
        account_id,
        conversation_id,
    )
    return record_of(rows[0]) if rows else None


async def insert(tx: Transaction, conversation: Conversation) -> None:
    """Write a new conversation with its participants and dialogs."""
    await tx.execute(
        "INSERT INTO conversations (account_id, conversation_id, consumer_id, app_id, created_at, version, "
        "state, stage, skill_id, assigned_agent_id, updated_at, closed_at, queued_at, queue_rank, "
        "was_assigned, ttr_ms, manual_ettr, record) VALUES "
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        conversation.account_id,
        conversation.conversation_id,
        conversation.consumer_id,
        conversation.app_id,
        conversation.created_at_ms,
        *_columns(conversation),
    )
    await _save_participants(tx, None, conversation)
    await _insert_dialogs(tx, None, conversation)
    await insert_steps(tx, conversation, steps_between(None, conversation))
    await _note_change(tx, conversation)


async def save(tx: Transaction, before: Conversation, after: Conversation) -> None:
    """Write the next version of a locked conversation, of its participants and of its dialogs."""
    await tx.execute(
        "UPDATE conversations SET version = $3, state = $4, stage = $5, skill_id = $6, "
        "assigned_agent_id = $7, updated_at = $8, closed_at = $9, queued_at = $10, queue_rank = $11, "
        "was_assigned = $12, ttr_ms = $13, manual_ettr = $14, record = $15 "
        "WHERE account_id = $1 AND conversation_id = $2",
        after.account_id,
        after.conversation_id,
        *_columns(after),
    )
    await _save_participants(tx, before, after)
    await tx.execute(
        "UPDATE dialogs SET version = $3 WHERE account_id = $1 AND conversation_id = $2",
        after.account_id,
        after.conversation_id,
        after.version,
    )
    await _insert_dialogs(tx, before, after)
    await insert_steps(tx, after, steps_between(before, after))
    await _note_change(tx, after)


async def has_any(tx: Transaction, account_id: AccountId, consumer_id: ParticipantId) -> bool:
    """Whether the consumer ever had a conversation."""
    return bool(
        await tx.fetch(
            "SELECT 1 FROM conversations WHERE account_id = $1 AND consumer_id = $2 LIMIT 1",
            account_id,
            consumer_id,
        )
    )


async def has_met(
    database: Database, account_id: AccountId, consumer_id: ParticipantId, agent_id: ParticipantId | None
) -> bool:
    """Whether the brand, or this agent of it, ever took part in a conversation of the consumer."""
    sql = "SELECT 1 FROM conversations c WHERE c.account_id = $1 AND c.consumer_id = $2"
    if agent_id is None:
        return bool(await database.read(sql + " LIMIT 1", account_id, consumer_id))
    took_part = (
        " AND EXISTS (SELECT 1 FROM conversation_participants p WHERE p.account_id = c.account_id "
        "AND p.conversation_id = c.conversation_id AND p.participant_id = $3) LIMIT 1"
    )
    return bool(await database.read(sql + took_part, account_id, consumer_id, agent_id))


async def find_open_of(
    tx: Transaction, account_id: AccountId, consumer_id: ParticipantId
) -> Conversation | None:
    """The consumer's newest conversation in which it can talk: its main dialog is open, no survey runs."""
    rows = await tx.fetch(
        "SELECT record FROM conversations WHERE account_id = $1 AND consumer_id = $2 AND state = $3 "
        "ORDER BY created_at DESC LIMIT 1",
        account_id,
        consumer_id,
        State.OPEN.value,
    )
    return record_of(rows[0]) if rows else None


async def claim_key(
    tx: Transaction, new: NewConversation, conversation_id: ConversationId, now_ms: int
) -> Row | None:
    """Put the request's idempotency key down; the row of its first use when there was one in the last day.

    The insert locks the key, so that two requests with it are answered one after the other.
    """
    rows = await tx.fetch(
        "INSERT INTO idempotency_keys "
        "(account_id, participant_id, key, fingerprint, at, ref, sequence, event_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, -1, 0) "
        "ON CONFLICT (account_id, participant_id, key) DO UPDATE SET at = idempotency_keys.at "
        "RETURNING fingerprint, ref, at",
        *(new.account_id, new.agent.id if new.agent else new.consumer_id, new.idempotency_key),
        *(new.fingerprint, now_ms, conversation_id),
    )
    first = rows[0]
    if first["ref"] == conversation_id:
        return None
    if first["at"] > now_ms - KEY_LIFE_MS:
        return first
    await set_key(tx, new, conversation_id, now_ms)
    return None


async def set_key(
    tx: Transaction, new: NewConversation, conversation_id: ConversationId, now_ms: int
) -> None:
    """Let the key stand for this conversation from now on."""
    await tx.execute(
        "UPDATE idempotency_keys SET fingerprint = $4, at = $5, ref = $6, sequence = -1, event_at = 0 "
        "WHERE account_id = $1 AND participant_id = $2 AND key = $3",
        *(new.account_id, new.agent.id if new.agent else new.consumer_id, new.idempotency_key),
        *(new.fingerprint, now_ms, conversation_id),
    )


def _columns(conversation: Conversation) -> Sequence[object]:
    assigned = conversation.assigned_agent
    return (
        conversation.version,
        conversation.state.value,
        conversation.stage.value,
        conversation.skill_id,
        assigned.id if assigned else "",
        conversation.updated_at_ms,
        conversation.closed_at_ms,
        conversation.queued_at_ms or None,
        0 if conversation.ttr.type is TtrType.URGENT else 1,
        int(bool(conversation.last_agent_id)),
        conversation.ttr.seconds * 1000,
        conversation.manual_ettr_ms,
        _encode(conversation).decode(),
    )


async def _save_participants(tx: Transaction, before: Conversation | None, after: Conversation) -> None:
    old = _rows_of(before) if before else {}
    new = _rows_of(after)
    key = (after.account_id, after.conversation_id)
    for participant_id, role in old.keys() - new.keys():
        await tx.execute(
            "DELETE FROM conversation_participants "
            "WHERE account_id = $1 AND conversation_id = $2 AND participant_id = $3 AND role = $4",
            *(*key, participant_id, role),
        )
    changed = [(*key, *who, state) for who, state in new.items() if old.get(who) != state]
    if changed:
        await tx.execute_many(
            "INSERT INTO conversation_participants "
            "(account_id, conversation_id, participant_id, role, state) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (account_id, conversation_id, participant_id, role) "
            "DO UPDATE SET state = excluded.state",
            changed,
        )


def _rows_of(conversation: Conversation) -> dict[tuple[str, str], str]:
    """Participants as rows; somebody both ACTIVE and SUGGESTED in a role is ACTIVE."""
    rows: dict[tuple[str, str], str] = {}
    for p in conversation.participants:
        if rows.get((p.id, p.role.value)) != ParticipantState.ACTIVE.value:
            rows[p.id, p.role.value] = p.state.value
    return rows


async def _insert_dialogs(tx: Transaction, before: Conversation | None, after: Conversation) -> None:
    """A consumer who opens a conversation is owed an answer from then on."""
    known: set[DialogId] = {d.dialog_id for d in before.dialogs} if before else set()
    owed_since = 0 if before else after.queued_at_ms
    for dialog in after.dialogs:
        if dialog.dialog_id not in known:
            await tx.execute(
                "INSERT INTO dialogs (account_id, dialog_id, conversation_id, version, last_sequence, "
                "last_event_at, last_content_sequence, owed_since) VALUES ($1, $2, $3, $4, -1, 0, -1, $5)",
                *(after.account_id, dialog.dialog_id, after.conversation_id, after.version, owed_since),
            )


async def _note_change(tx: Transaction, conversation: Conversation) -> None:
    await tx.execute(
        "INSERT INTO changes (account_id, kind, ref, at) VALUES ($1, $2, $3, $4)",
        conversation.account_id,
        CHANGE_KIND,
        conversation.conversation_id,
        conversation.updated_at_ms,
    )
