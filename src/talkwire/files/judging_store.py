"""The SQL of judging: who has a file in hand, and what became of it."""

from collections.abc import Sequence

from talkwire.backends.database.port import Database, Transaction
from talkwire.files.model import FileState, HostedFile, Verdict
from talkwire.files.store import FILE, file_of, put_preview
from talkwire.kernel.ids import AccountId


async def list_unjudged(database: Database, before_ms: int, limit: int) -> list[HostedFile]:
    """Files of every account that nobody has in hand, the oldest first. `before_ms`: claims until then ended."""
    rows = await database.read(
        f"SELECT {FILE} FROM files WHERE state = 'received' AND claimed_until < $1"
        " ORDER BY received_at LIMIT $2",
        before_ms,
        limit,
    )
    return [file_of(row) for row in rows]


async def claim(
    tx: Transaction, files: Sequence[HostedFile], node: str, before_ms: int, until_ms: int
) -> list[HostedFile]:
    """Take files in hand; gives back those that were still free."""
    return [
        file
        for file in files
        if await tx.execute(
            "UPDATE files SET claimed_by = $3, claimed_until = $4 WHERE account_id = $1 AND relative_path = $2"
            " AND state = 'received' AND claimed_until < $5",
            file.account_id,
            file.relative_path,
            node,
            until_ms,
            before_ms,
        )
    ]


async def renew_claims(
    tx: Transaction, node: str, names: Sequence[tuple[AccountId, str]], until_ms: int
) -> None:
    """Keep these files in hand."""
    await tx.execute_many(
        "UPDATE files SET claimed_until = $4 WHERE account_id = $1 AND relative_path = $2"
        " AND state = 'received' AND claimed_by = $3",
        [(*name, node, until_ms) for name in names],
    )


async def settle(tx: Transaction, file: HostedFile, verdict: Verdict) -> bool:
    """Write down a verdict, if the file still waits for one."""
    moved = await tx.execute(
        "UPDATE files SET state = $3, reason = $4, object_key = $5, served_bytes = $6, served_sha256 = $7,"
        " image_type = $8 WHERE account_id = $1 AND relative_path = $2 AND state = 'received'"
        " AND object_key = $9",
        file.account_id,
        file.relative_path,
        verdict.state.value,
        verdict.reason,
        verdict.object_key,
        verdict.served_bytes,
        verdict.served_sha256,
        verdict.image_type.value if verdict.image_type else "",
        file.object_key,
    )
    if not moved:
        return False
    if verdict.state is FileState.CLEAN and verdict.preview is not None:
        await put_preview(
            tx, file.account_id, file.relative_path, verdict.preview.image_type, verdict.sealed_preview
        )
    return True
