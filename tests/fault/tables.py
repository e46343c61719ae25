"""What must be true of the whole database after a crash, asked with SQL."""

import sqlite3
from pathlib import Path
from typing import Any

import asyncpg

LAWS = {
    "every dialog is numbered from 0 without gaps": """
        SELECT dialog_number, count(*), max(sequence) FROM logged_events
        GROUP BY dialog_number HAVING count(*) <> max(sequence) + 1 OR min(sequence) <> 0""",
    "a dialog knows its last sequence": """
        SELECT d.dialog_id, d.last_sequence FROM dialogs d
        WHERE d.last_sequence <> COALESCE(
            (SELECT max(sequence) FROM logged_events e WHERE e.dialog_number = d.number), -1)""",
    "no event is there twice": """
        SELECT event_id, count(*) FROM logged_events GROUP BY event_id HAVING count(*) > 1""",
    "no publication without its event": """
        SELECT p.relative_path, p.dialog_id, p.sequence FROM file_publications p
        LEFT JOIN events e ON e.account_id = p.account_id AND e.dialog_id = p.dialog_id
            AND e.sequence = p.sequence WHERE e.kind IS NULL OR e.kind <> 'file'""",
    "no file event without its publication": """
        SELECT e.dialog_id, e.sequence FROM events e
        LEFT JOIN file_publications p ON e.account_id = p.account_id AND e.dialog_id = p.dialog_id
            AND e.sequence = p.sequence WHERE e.kind = 'file' AND p.relative_path IS NULL""",
    "every publication has its file": """
        SELECT p.relative_path FROM file_publications p
        LEFT JOIN files f ON f.account_id = p.account_id AND f.relative_path = p.relative_path
        WHERE f.state IS NULL OR f.state <> 'published'""",
    "a conversation has its dialog": """
        SELECT c.conversation_id FROM conversations c
        LEFT JOIN dialogs d ON d.account_id = c.account_id AND d.conversation_id = c.conversation_id
        WHERE d.number IS NULL OR d.version <> c.version""",
    "who is assigned takes part": """
        SELECT c.conversation_id, c.assigned_agent_id FROM conversations c
        LEFT JOIN conversation_participants p ON p.account_id = c.account_id
            AND p.conversation_id = c.conversation_id AND p.participant_id = c.assigned_agent_id
            AND p.role = 'ASSIGNED_AGENT'
        WHERE c.assigned_agent_id <> '' AND p.role IS NULL""",
    "an idempotency key leads to its event": """
        SELECT k.key, k.ref, k.sequence FROM idempotency_keys k
        LEFT JOIN logged_events e ON e.account_id = k.account_id AND e.event_id = k.ref
            AND e.sequence = k.sequence WHERE k.sequence >= 0 AND e.kind IS NULL""",
}


async def broken_laws(data: Path, database_url: str = "") -> list[str]:
    """Which of them do not hold, with the rows that break them."""
    said = []
    for law, sql in LAWS.items():
        rows = await _postgres(database_url, sql) if database_url else _sqlite(data, sql)
        if rows:
            said.append(f"not true that {law}: {rows[:5]}")
    return said


def object_keys(data: Path) -> set[str]:
    """The objects that are in the file store, whole or not."""
    return {path.name for path in (data / "files").rglob("*") if path.is_file()}


def _sqlite(data: Path, sql: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{data / 'talkwire.db'}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def _postgres(url: str, sql: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
