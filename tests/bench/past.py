"""A past of a million messages, written straight into an embedded database that a node has made."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from talkwire.conversations.model import (
    CloseReason,
    Conversation,
    Dialog,
    DialogType,
    Participant,
    Role,
    State,
    Ttr,
    TtrType,
)
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId, SkillId

PER_CONVERSATION = 10
AT_ONCE = 5_000
FIRST_MS = 1_700_000_000_000
APART_MS = 60_000
FIRST_NUMBER = 1_000_000  # of dialogs: behind whatever the demo has
STRANGERS = [f"a{number:07d}-0000-4000-8000-000000000000" for number in range(49)]
SKILLS = ("-1", "1", "2", "3")
CONTEXT = {
    "type": "SharkContext",
    "clientProperties": {"type": ".ClientProperties", "deviceFamily": "DESKTOP"},
}
TABLES = {
    "conversations": "account_id, conversation_id, version, consumer_id, state, stage, skill_id,"
    " assigned_agent_id, app_id, created_at, updated_at, closed_at, record, queued_at, queue_rank, was_assigned",
    "conversation_participants": "account_id, conversation_id, participant_id, role, state",
    "dialogs": "number, account_id, dialog_id, conversation_id, version, last_sequence, last_event_at,"
    " last_content_sequence, owed_since",
    "conversation_steps": "account_id, conversation_id, version, number, kind, at, participant_id, role, skill_id",
    "logged_events": "account_id, dialog_number, sequence, event_id, at, kind, originator_id, originator_role,"
    " audience, read_up_to, event, metadata, client_properties",
}
Rows = dict[str, list[tuple[Any, ...]]]


def write_past(path: Path, account_id: str, agent_id: str, conversations: int) -> None:
    """Closed conversations, a minute apart, ten events each, of 20,000 consumers; every 50th is this agent's."""
    chance = random.Random(1)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    for start in range(0, conversations, AT_ONCE):
        rows: Rows = {table: [] for table in TABLES}
        for number in range(start, min(start + AT_ONCE, conversations)):
            for table, row in _rows(account_id, agent_id, number, chance):
                rows[table].append(row)
        for table, columns in TABLES.items():
            marks = ", ".join("?" * len(columns.split(",")))
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows[table])
        connection.commit()
    connection.close()


def _rows(
    account_id: str, agent_id: str, number: int, chance: random.Random
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    at, agent, skill = (
        FIRST_MS + number * APART_MS,
        chance.choice([agent_id, *STRANGERS]),
        chance.choice(SKILLS),
    )
    key = f"{chance.getrandbits(32):08x}-1111-4222-8333-{number:012x}"
    consumer = f"c{number % 20_000:07d}-0000-4000-8000-000000000000"
    people = (
        Participant(ParticipantId(consumer), Role.CONSUMER, consumer),
        Participant(ParticipantId(agent), Role.ASSIGNED_AGENT, f"{account_id}.1"),
    )
    record = Conversation(
        AccountId(account_id),
        ConversationId(key),
        ParticipantId(consumer),
        version=3,
        created_at_ms=at,
        updated_at_ms=at,
        ttr=Ttr(TtrType.NORMAL, 600),
        participants=people,
        dialogs=(Dialog(DialogId(key), DialogType.MAIN, at, at, State.CLOSE, at + 600_000),),
        state=State.CLOSE,
        stage=State.CLOSE,
        skill_id=SkillId(skill),
        closed_at_ms=at + 600_000,
        close_reason=CloseReason.AGENT,
        context=CONTEXT,
        last_agent_id=ParticipantId(agent),
    )
    encoded = msgspec.json.encode(record).decode()
    yield "conversations", (
        account_id, key, 3, consumer, "CLOSE", "CLOSE", skill, agent, "", at, at, at + 600_000, encoded, None, 1, 1,
    )  # fmt: skip
    for person in people:
        yield "conversation_participants", (account_id, key, person.id, person.role.value, "ACTIVE")
    dialog = FIRST_NUMBER + number
    yield "dialogs", (dialog, account_id, key, key, 3, PER_CONVERSATION - 1, at + 9_000, 8, 0)
    yield "conversation_steps", (account_id, key, 2, 1, "JOINED", at, agent, "ASSIGNED_AGENT", skill)
    for sequence in range(PER_CONVERSATION):
        sender, role = (consumer, "CONSUMER") if sequence % 2 == 0 else (agent, "ASSIGNED_AGENT")
        kind, event = "content", _text(number, sequence)
        if sequence == PER_CONVERSATION - 1:
            kind, event = "accept", b'{"type":"AcceptStatusEvent","status":"READ","sequenceList":[0,2,4]}'
        yield "logged_events", (
            account_id, dialog, sequence, f"{number:x}-{sequence}", at + sequence * 1_000, kind, sender, role, "ALL",
            None, event, None, None,
        )  # fmt: skip


def _text(number: int, sequence: int) -> bytes:
    text = f"message {sequence} of conversation {number}, and some words more to be like a real one"
    return b'{"type":"ContentEvent","contentType":"text/plain","message":"%b"}' % text.encode()
