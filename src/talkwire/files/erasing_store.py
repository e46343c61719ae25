"""The SQL of erasing files: finding them, taking them out of use, and removing what is left."""

from collections.abc import Sequence

from talkwire.backends.database.port import Database, Transaction
from talkwire.files.model import HostedFile
from talkwire.files.store import FILE, file_of
from talkwire.kernel.ids import AccountId


def marks(first: int, count: int) -> str:
    """`$first, …`: so many parameters."""
    return ", ".join(f"${number}" for number in range(first, first + count))


async def list_of_conversations(
    database: Database, account_id: AccountId, conversation_ids: Sequence[str]
) -> list[str]:
    rows = await database.read(
        "SELECT DISTINCT relative_path FROM file_publications"
        f" WHERE account_id = $1 AND conversation_id IN ({marks(2, len(conversation_ids))})",
        account_id,
        *conversation_ids,
    )
    return [row["relative_path"] for row in rows]


async def list_forsaken(
    database: Database, before_ms: int, but_of: Sequence[str], limit: int
) -> list[tuple[AccountId, str]]:
    """Files of every account but some that were received before and never published, the oldest of each state."""
    found: list[tuple[AccountId, str]] = []
    others = "".join(f" AND account_id <> ${number}" for number in range(4, len(but_of) + 4))
    for state in ("received", "clean", "rejected"):  # each a run over the index of what is not published
        rows = await database.read(
            "SELECT account_id, relative_path FROM files WHERE state = $1 AND state <> 'published'"
            f" AND received_at < $2{others} ORDER BY received_at LIMIT $3",
            state,
            before_ms,
            limit,
            *but_of,
        )
        found += [(AccountId(row["account_id"]), row["relative_path"]) for row in rows]
    return found


async def list_unfinished(database: Database, limit: int) -> list[tuple[AccountId, str, str]]:
    """Files of every account whose erasure was begun, with its reason."""
    rows = await database.read(
        "SELECT account_id, relative_path, reason FROM files WHERE state = 'erasing'"
        " AND state <> 'published' LIMIT $1",
        limit,
    )
    return [(AccountId(row["account_id"]), row["relative_path"], row["reason"]) for row in rows]


async def list_accounts(database: Database) -> list[AccountId]:
    """Every account that has published files."""
    rows = await database.read("SELECT DISTINCT account_id FROM files WHERE state = 'published'")
    return [AccountId(row["account_id"]) for row in rows]


async def list_expired(database: Database, account_id: AccountId, before_ms: int, limit: int) -> list[str]:
    """Files that were last published before, the oldest first. A file's own row may lie behind by a day."""
    rows = await database.read(
        "SELECT relative_path FROM files f WHERE account_id = $1 AND state = 'published' AND published_at < $2"
        " AND NOT EXISTS (SELECT 1 FROM file_publications p WHERE p.account_id = f.account_id"
        " AND p.relative_path = f.relative_path AND p.published_at >= $2) ORDER BY published_at LIMIT $3",
        account_id,
        before_ms,
        limit,
    )
    return [row["relative_path"] for row in rows]


async def list_known_objects(database: Database, object_keys: Sequence[str]) -> set[str]:
    """Which of these objects belong to a file, of whatever account."""
    rows = await database.read(
        f"SELECT object_key FROM files WHERE object_key IN ({marks(1, len(object_keys))})", *object_keys
    )
    return {row["object_key"] for row in rows}


async def list_known_keys(database: Database, account_id: AccountId, key_ids: Sequence[str]) -> set[str]:
    """Which of these keys belong to a file."""
    rows = await database.read(
        f"SELECT key_id FROM files WHERE account_id = $1 AND key_id IN ({marks(2, len(key_ids))})",
        account_id,
        *key_ids,
    )
    return {row["key_id"] for row in rows}


async def list_of_uploader(database: Database, account_id: AccountId, uploader_id: str) -> list[str]:
    rows = await database.read(
        "SELECT relative_path FROM files WHERE account_id = $1 AND uploader_id = $2", account_id, uploader_id
    )
    return [row["relative_path"] for row in rows]


async def take_out(
    tx: Transaction, account_id: AccountId, relative_paths: Sequence[str], reason: str, only: Sequence[str]
) -> None:
    """From now on nobody is given these files. `only` those in these states; empty: whatever their state."""
    states = "state <> 'erasing'" if not only else f"state IN ({marks(3 + len(relative_paths), len(only))})"
    await tx.execute(
        "UPDATE files SET state = 'erasing', reason = $2"
        f" WHERE account_id = $1 AND relative_path IN ({marks(3, len(relative_paths))}) AND {states}",
        account_id,
        reason,
        *relative_paths,
        *only,
    )


async def list_taken_out(
    database: Database, account_id: AccountId, relative_paths: Sequence[str]
) -> list[HostedFile]:
    rows = await database.read(
        f"SELECT {FILE} FROM files WHERE account_id = $1 AND state = 'erasing'"
        f" AND relative_path IN ({marks(2, len(relative_paths))})",
        account_id,
        *relative_paths,
    )
    return [file_of(row) for row in rows]


async def list_shown(
    tx: Transaction, account_id: AccountId, relative_path: str
) -> list[tuple[str, int, str]]:
    """Dialog, sequence and conversation of every event that shows a file."""
    rows = await tx.fetch(
        "SELECT dialog_id, sequence, conversation_id FROM file_publications"
        " WHERE account_id = $1 AND relative_path = $2",
        account_id,
        relative_path,
    )
    return [(row["dialog_id"], row["sequence"], row["conversation_id"]) for row in rows]


async def find_event(
    tx: Transaction, account_id: AccountId, dialog_id: str, sequence: int
) -> tuple[int, bytes] | None:
    """The number of its dialog, and an event as it is logged."""
    rows = await tx.fetch(
        "SELECT e.dialog_number, e.event FROM dialogs d JOIN logged_events e ON e.dialog_number = d.number"
        " WHERE d.account_id = $1 AND d.dialog_id = $2 AND e.sequence = $3",
        account_id,
        dialog_id,
        sequence,
    )
    return (rows[0]["dialog_number"], bytes(rows[0]["event"])) if rows else None


async def replace_event(
    tx: Transaction, account_id: AccountId, dialog_number: int, sequence: int, event: bytes
) -> None:
    await tx.execute(
        "UPDATE logged_events SET event = $4 WHERE account_id = $1 AND dialog_number = $2 AND sequence = $3",
        account_id,
        dialog_number,
        sequence,
        event,
    )


async def delete_file(tx: Transaction, file: HostedFile) -> None:
    """Its previews and publications, then itself."""
    for table in ("file_previews", "file_publications", "files"):
        await tx.execute(f"DELETE FROM {table} WHERE account_id = $1 AND relative_path = $2", *file.name)


async def count_left(database: Database, account_id: AccountId, relative_paths: Sequence[str]) -> int:
    """How many rows still speak of these files."""
    left = 0
    for table in ("files", "file_previews", "file_publications"):
        rows = await database.read(
            f"SELECT COUNT(*) AS n FROM {table}"
            f" WHERE account_id = $1 AND relative_path IN ({marks(2, len(relative_paths))})",
            account_id,
            *relative_paths,
        )
        left += rows[0]["n"]
    return left
