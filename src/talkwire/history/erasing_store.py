"""The SQL of erasing: finding what belongs to somebody, masking it, reading back."""

import json
from collections.abc import AsyncIterator, Sequence
from itertools import islice

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.conversations.model import Conversation
from talkwire.conversations.store import record_of
from talkwire.history.erasure_rules import Shown
from talkwire.kernel.ids import AccountId

SLICE = 200
"""Rows of one unit, or ids of one query: bounds how long others wait for the writer."""


def _marks(first: int, count: int) -> str:
    return ", ".join(f"${number}" for number in range(first, first + count))


def slices(refs: Sequence[str], size: int = SLICE) -> list[list[str]]:
    remaining = iter(refs)
    return list(iter(lambda: list(islice(remaining, size)), []))


async def conversations_of_consumer(
    database: Database, account_id: AccountId, consumer_id: str
) -> list[Conversation]:
    rows = await database.read(
        "SELECT record FROM conversations WHERE account_id = $1 AND consumer_id = $2", account_id, consumer_id
    )
    return [record_of(row) for row in rows]


async def conversations_by_id(
    database: Database, account_id: AccountId, ids: Sequence[str]
) -> list[Conversation]:
    rows = await database.read(
        f"SELECT record FROM conversations WHERE account_id = $1 AND conversation_id IN ({_marks(2, len(ids))})",
        account_id,
        *ids,
    )
    return [record_of(row) for row in rows]


async def conversations_of_engagement(
    database: Database, account_id: AccountId, engagement_id: str
) -> list[Conversation]:
    """Looks through all records of the account: nobody else asks, and this is asked rarely."""
    quoted = json.dumps(engagement_id, ensure_ascii=False)
    pattern = quoted.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    rows = await database.read(
        "SELECT record FROM conversations WHERE account_id = $1 AND record LIKE $2 ESCAPE '!'",
        account_id,
        f'%"engagement!_id":{pattern}%',
    )
    found = [record_of(row) for row in rows]
    return [one for one in found if one.campaign and one.campaign.engagement_id == engagement_id]


async def list_shown(
    database: Database, account_id: AccountId, paths: Sequence[str], going: set[str]
) -> list[Shown]:
    """Files of these paths with where they were shown; `going` are the conversations that will be erased."""
    rows = await database.read(
        "SELECT relative_path, uploader, key_id, size_bytes, sha256 FROM files"
        f" WHERE account_id = $1 AND relative_path IN ({_marks(2, len(paths))})",
        account_id,
        *paths,
    )
    places = await database.read(
        "SELECT DISTINCT relative_path, conversation_id FROM file_publications"
        f" WHERE account_id = $1 AND relative_path IN ({_marks(2, len(paths))})",
        account_id,
        *paths,
    )
    elsewhere = {row["relative_path"] for row in places if row["conversation_id"] not in going}
    return [
        Shown(
            row["relative_path"],
            {"keyId": row["key_id"], "bytes": row["size_bytes"], "sha256": row["sha256"]},
            row["uploader"] == "consumer",
            row["relative_path"] in elsewhere,
        )
        for row in rows
    ]


async def paths_shown_in(database: Database, account_id: AccountId, ids: Sequence[str]) -> set[str]:
    rows = await database.read(
        "SELECT DISTINCT relative_path FROM file_publications"
        f" WHERE account_id = $1 AND conversation_id IN ({_marks(2, len(ids))})",
        account_id,
        *ids,
    )
    return {row["relative_path"] for row in rows}


async def paths_of_keys(database: Database, account_id: AccountId, key_ids: Sequence[str]) -> list[str]:
    rows = await database.read(
        f"SELECT relative_path FROM files WHERE account_id = $1 AND key_id IN ({_marks(2, len(key_ids))})",
        account_id,
        *key_ids,
    )
    return [row["relative_path"] for row in rows]


async def remaining_files(database: Database, account_id: AccountId, paths: Sequence[str]) -> list[str]:
    """Paths of which a row, a preview or a publication is left."""
    found = set()
    for table in ("files", "file_previews", "file_publications"):
        rows = await database.read(
            f"SELECT relative_path FROM {table} WHERE account_id = $1 AND relative_path IN ({_marks(2, len(paths))})",
            account_id,
            *paths,
        )
        found |= {row["relative_path"] for row in rows}
    return sorted(found)


async def events_of(
    database: Database, account_id: AccountId, conversation_id: str
) -> AsyncIterator[Sequence[Row]]:
    """Every event of a conversation, in slices."""
    dialogs = await database.read(
        "SELECT number FROM dialogs WHERE account_id = $1 AND conversation_id = $2 ORDER BY number",
        account_id,
        conversation_id,
    )
    for dialog in dialogs:
        after = -1
        while rows := await database.read(
            "SELECT dialog_number, sequence, event_id, event, metadata, client_properties FROM logged_events"
            " WHERE account_id = $1 AND dialog_number = $2 AND sequence > $3 ORDER BY sequence LIMIT $4",
            account_id,
            dialog["number"],
            after,
            SLICE,
        ):
            yield rows
            after = rows[-1]["sequence"]


async def mask_events(
    tx: Transaction, account_id: AccountId, masked: Sequence[tuple[int, int, bytes]]
) -> None:
    """Overwrite events (dialog number, sequence, what stands there now), with all that came with them."""
    await tx.execute_many(
        "UPDATE logged_events SET event = $4, metadata = NULL, client_properties = NULL"
        " WHERE account_id = $1 AND dialog_number = $2 AND sequence = $3",
        [(account_id, *row) for row in masked],
    )


async def forget_keys(tx: Transaction, account_id: AccountId, refs: Sequence[str]) -> None:
    """Idempotency keys of events or conversations: they hold hashes of what was said."""
    await tx.execute(
        f"DELETE FROM idempotency_keys WHERE account_id = $1 AND ref IN ({_marks(2, len(refs))})",
        account_id,
        *refs,
    )


async def forget_publications(tx: Transaction, account_id: AccountId, conversation_id: str) -> None:
    await tx.execute(
        "DELETE FROM file_publications WHERE account_id = $1 AND conversation_id = $2",
        account_id,
        conversation_id,
    )


async def publications_in(database: Database, account_id: AccountId, conversation_id: str) -> int:
    rows = await database.read(
        "SELECT COUNT(*) AS n FROM file_publications WHERE account_id = $1 AND conversation_id = $2",
        account_id,
        conversation_id,
    )
    return int(rows[0]["n"])


async def delete_consumer(tx: Transaction, account_id: AccountId, consumer_id: str) -> None:
    """Profile and claims."""
    await tx.execute(
        "DELETE FROM idempotency_keys WHERE account_id = $1 AND participant_id = $2", account_id, consumer_id
    )
    await tx.execute(
        "DELETE FROM consumers WHERE account_id = $1 AND consumer_id = $2", account_id, consumer_id
    )


async def knows_consumer(database: Database, account_id: AccountId, consumer_id: str) -> bool:
    return bool(
        await database.read(
            "SELECT 1 FROM consumers WHERE account_id = $1 AND consumer_id = $2", account_id, consumer_id
        )
    )


async def is_in_trail(database: Database, account_id: AccountId, consumer_id: str) -> bool:
    """Whether the audit trail can tell which of its records were this consumer's."""
    return bool(
        await database.read(
            "SELECT 1 FROM audit_persons WHERE account_id = $1 AND consumer_id = $2", account_id, consumer_id
        )
    )
