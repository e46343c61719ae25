"""The SQL of files."""

from collections.abc import Sequence

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.files.errors import UnusableFile
from talkwire.files.model import (
    RECENT_PUBLICATIONS,
    Claim,
    FileState,
    HostedFile,
    Publication,
    PublishedIn,
    SealedPreview,
    Uploader,
)
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId
from talkwire.sanitation.sniff import ImageType

MARK_ANEW_MS = 86_400_000
"""How far a file's `published_at` may lie behind its newest publication."""

PUBLIC = "ALL"
"""The audience that consumers belong to."""

FILE = (
    "account_id, relative_path, object_key, key_id, uploader_id, uploader, state, reason, size_bytes, sha256,"
    " served_bytes, served_sha256, image_type, received_at"
)


def file_of(row: Row, published_in: tuple[PublishedIn, ...] = ()) -> HostedFile:
    return HostedFile(
        account_id=AccountId(row["account_id"]),
        relative_path=row["relative_path"],
        object_key=row["object_key"],
        key_id=row["key_id"],
        uploader_id=ParticipantId(row["uploader_id"]),
        uploader=Uploader(row["uploader"]),
        state=FileState(row["state"]),
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        served_bytes=row["served_bytes"],
        served_sha256=row["served_sha256"],
        image_type=ImageType(row["image_type"]) if row["image_type"] else None,
        received_at_ms=row["received_at"],
        reason=row["reason"],
        published_in=published_in,
    )


async def insert_file(tx: Transaction, file: HostedFile, claim: Claim) -> HostedFile:
    """Enter a file; gives back the row that stands: this one, or that of an earlier complete PUT."""
    inserted = await tx.execute(
        f"INSERT INTO files ({FILE}, claimed_by, claimed_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
        " $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING",
        file.account_id,
        file.relative_path,
        file.object_key,
        file.key_id,
        file.uploader_id,
        file.uploader.value,
        file.state.value,
        file.reason,
        file.size_bytes,
        file.sha256,
        file.served_bytes,
        file.served_sha256,
        file.image_type.value if file.image_type else "",
        file.received_at_ms,
        claim.node,
        claim.until_ms,
    )
    if inserted:
        return file
    rows = await tx.fetch(
        f"SELECT {FILE} FROM files WHERE account_id = $1 AND relative_path = $2",
        file.account_id,
        file.relative_path,
    )
    return file_of(rows[0])


async def find_file(database: Database, account_id: AccountId, relative_path: str) -> HostedFile | None:
    rows = await database.read(
        f"SELECT {FILE} FROM files WHERE account_id = $1 AND relative_path = $2", account_id, relative_path
    )
    if not rows:
        return None
    if rows[0]["state"] != FileState.PUBLISHED.value:
        return file_of(rows[0])
    shown = await database.read(
        "SELECT conversation_id, audience FROM file_publications WHERE account_id = $1 AND relative_path = $2"
        f" ORDER BY published_at DESC, dialog_id, sequence DESC LIMIT {RECENT_PUBLICATIONS}",
        account_id,
        relative_path,
    )
    return file_of(rows[0], tuple(_published_in(row) for row in shown))


def _published_in(row: Row) -> PublishedIn:
    return PublishedIn(ConversationId(row["conversation_id"]), row["audience"] == PUBLIC)


async def sum_received(
    database: Database, account_id: AccountId, uploader_id: ParticipantId, since_ms: int
) -> tuple[int, int]:
    """How many files, and bytes, an uploader sent since; without an uploader: everybody of the account.

    What became larger when it was made anew counts as what is stored and served.
    """
    whose = "AND uploader_id = $3" if uploader_id else "AND $3 = ''"
    rows = await database.read(
        "SELECT COUNT(*) AS files, COALESCE(SUM("
        "CASE WHEN served_bytes > size_bytes THEN served_bytes ELSE size_bytes END), 0) AS bytes FROM files"
        f" WHERE account_id = $1 AND received_at >= $2 {whose}",
        account_id,
        since_ms,
        uploader_id,
    )
    return int(rows[0]["files"]), int(rows[0]["bytes"])


async def list_shown_to(
    database: Database, account_id: AccountId, relative_path: str, participant_id: ParticipantId
) -> list[PublishedIn]:
    """Where a participant may have been shown a file, for files that were shown very often."""
    rows = await database.read(
        "SELECT DISTINCT f.conversation_id, f.audience FROM file_publications f"
        " JOIN conversation_participants p"
        " ON p.account_id = f.account_id AND p.conversation_id = f.conversation_id"
        " WHERE f.account_id = $1 AND f.relative_path = $2 AND p.participant_id = $3 LIMIT 100",
        account_id,
        relative_path,
        participant_id,
    )
    return [_published_in(row) for row in rows]


async def mark_published(tx: Transaction, publication: Publication, at_ms: int) -> bool:
    """Move a file on to `published`; False when it was that before.

    Raises UnusableFile when it may not be shown any more (erased meanwhile).
    """
    states = (FileState.CLEAN, FileState.PUBLISHED)
    for state in states if publication.file.state is FileState.CLEAN else reversed(states):
        moved = await tx.execute(
            "UPDATE files SET state = 'published', published_at = $3"
            " WHERE account_id = $1 AND relative_path = $2 AND object_key = $4 AND state = $5",
            publication.account_id,
            publication.file.relative_path,
            at_ms,
            publication.file.object_key,
            state.value,
        )
        if moved:
            return state is FileState.CLEAN
    raise UnusableFile


_INTO_PUBLICATIONS = (
    "INSERT INTO file_publications (account_id, relative_path, published_at, dialog_id, sequence,"
    " conversation_id, audience, publisher_id)"
)


async def show_again(
    tx: Transaction, publication: Publication, dialog_id: str, sequence: int, audience: str, at_ms: int
) -> bool:
    """Enter a publication of a file whose row can stand as it is: it was published, and less than a day ago.

    One statement. False when nothing was done, and `mark_published` has to look closer.
    """
    entered = await tx.execute(
        f"{_INTO_PUBLICATIONS}"
        " SELECT account_id, relative_path, $3, $4, $5, $6, $7, $8 FROM files"
        " WHERE account_id = $1 AND relative_path = $2 AND object_key = $9 AND state = 'published'"
        " AND published_at > $10 FOR SHARE ON CONFLICT DO NOTHING",
        publication.account_id,
        publication.file.relative_path,
        at_ms,
        dialog_id,
        sequence,
        publication.conversation_id,
        audience,
        publication.publisher_id,
        publication.file.object_key,
        at_ms - MARK_ANEW_MS,
    )
    return entered == 1


async def insert_publication(
    tx: Transaction, publication: Publication, dialog_id: str, sequence: int, audience: str, at_ms: int
) -> None:
    await tx.execute(
        f"{_INTO_PUBLICATIONS} VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        publication.account_id,
        publication.file.relative_path,
        at_ms,
        dialog_id,
        sequence,
        publication.conversation_id,
        audience,
        publication.publisher_id,
    )


async def put_preview(
    tx: Transaction, account_id: AccountId, relative_path: str, image_type: ImageType, sealed: bytes
) -> None:
    """Keep a file's preview; a former one is gone. Only until it is published: later nobody may repaint it."""
    await tx.execute(
        "INSERT INTO file_previews (account_id, relative_path, image_type, sealed)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (account_id, relative_path)"
        " DO UPDATE SET image_type = excluded.image_type, sealed = excluded.sealed",
        account_id,
        relative_path,
        image_type.value,
        sealed,
    )


async def list_previews(
    database: Database, account_id: AccountId, relative_paths: Sequence[str]
) -> list[SealedPreview]:
    """Previews of paths; those without one are left out. At most some hundred paths at once."""
    marks = ", ".join(f"${number}" for number in range(2, len(relative_paths) + 2))
    rows = await database.read(
        "SELECT p.relative_path, p.image_type, p.sealed, f.key_id FROM file_previews p"
        " JOIN files f ON f.account_id = p.account_id AND f.relative_path = p.relative_path"
        f" WHERE p.account_id = $1 AND p.relative_path IN ({marks})",
        account_id,
        *relative_paths,
    )
    return [
        SealedPreview(row["relative_path"], row["key_id"], ImageType(row["image_type"]), bytes(row["sealed"]))
        for row in rows
    ]


async def list_keys(database: Database, account_id: AccountId) -> list[tuple[int, str, int]]:
    """Numbers, sealed secrets, and the moment from which they sign; the newest first."""
    rows = await database.read(
        "SELECT number, secret, signs_from FROM temp_url_keys WHERE account_id = $1 ORDER BY number DESC",
        account_id,
    )
    return [(row["number"], row["secret"], row["signs_from"]) for row in rows]


async def delete_keys(tx: Transaction, account_id: AccountId, numbers: Sequence[int]) -> None:
    await tx.execute_many(
        "DELETE FROM temp_url_keys WHERE account_id = $1 AND number = $2", [(account_id, n) for n in numbers]
    )


async def insert_first_key(tx: Transaction, account_id: AccountId, secret: str, now_ms: int) -> None:
    """Give an account its first key, unless it has one."""
    await tx.execute(
        "INSERT INTO temp_url_keys (account_id, number, secret, signs_from)"
        " SELECT $1, 1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM temp_url_keys WHERE account_id = $1)",
        account_id,
        secret,
        now_ms,
    )


async def rotate_key(tx: Transaction, account_id: AccountId, secret: str, signs_from_ms: int) -> None:
    """Add a key and keep one of the older ones, so that no URL in flight dies."""
    rows = await tx.fetch(
        "SELECT COALESCE(MAX(number), 0) AS newest FROM temp_url_keys WHERE account_id = $1", account_id
    )
    newest = rows[0]["newest"]
    await tx.execute("DELETE FROM temp_url_keys WHERE account_id = $1 AND number < $2", account_id, newest)
    await tx.execute(
        "INSERT INTO temp_url_keys (account_id, number, secret, signs_from) VALUES ($1, $2, $3, $4)",
        account_id,
        newest + 1,
        secret,
        signs_from_ms,
    )
