"""The SQL of erasure requests, of what each took in hand, and of receipts."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.history.erasure_model import (
    ErasureRequest,
    Item,
    ItemKind,
    RequestQuery,
    RequestState,
    SubjectKind,
)
from talkwire.kernel.ids import AccountId

_REQUEST = (
    "account_id, request_id, kind, subjects, requested_by, requested_at, due_at, deadline_at, state, "
    "cancelled_by, cancelled_at, next_try_at, left_open"
)


class StoredReceipt(NamedTuple):
    request_id: int
    at_ms: int
    receipt: str  # the signed document, as it was made


def _request(row: Row) -> ErasureRequest:
    return ErasureRequest(
        account_id=AccountId(row["account_id"]),
        request_id=row["request_id"],
        kind=SubjectKind(row["kind"]),
        subjects=tuple(json.loads(row["subjects"])),
        requested_by=row["requested_by"],
        requested_at_ms=row["requested_at"],
        due_at_ms=row["due_at"],
        deadline_at_ms=row["deadline_at"],
        state=RequestState(row["state"]),
        cancelled_by=row["cancelled_by"],
        cancelled_at_ms=row["cancelled_at"],
        left_open=row["left_open"],
    )


async def count_since(tx: Transaction, account_id: AccountId, since_ms: int) -> int:
    rows = await tx.fetch(
        "SELECT COUNT(*) AS n FROM erasure_requests WHERE account_id = $1 AND requested_at >= $2",
        account_id,
        since_ms,
    )
    return int(rows[0]["n"])


async def insert_request(tx: Transaction, request: ErasureRequest) -> None:
    """Enter a request; one that is there stays (a ledger that is read again)."""
    await tx.execute(
        f"INSERT INTO erasure_requests ({_REQUEST})"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        *(request.account_id, request.request_id, request.kind.value, json.dumps(request.subjects)),
        *(request.requested_by, request.requested_at_ms, request.due_at_ms, request.deadline_at_ms),
        *(request.state.value, request.cancelled_by, request.cancelled_at_ms),
        *(request.due_at_ms, request.left_open),
    )


async def find_request(database: Database, account_id: AccountId, request_id: int) -> ErasureRequest | None:
    rows = await database.read(
        f"SELECT {_REQUEST} FROM erasure_requests WHERE account_id = $1 AND request_id = $2",
        account_id,
        request_id,
    )
    return _request(rows[0]) if rows else None


async def lock_request(tx: Transaction, account_id: AccountId, request_id: int) -> ErasureRequest | None:
    """The request, kept still until the unit ends."""
    rows = await tx.fetch(
        "UPDATE erasure_requests SET state = state WHERE account_id = $1 AND request_id = $2"
        f" RETURNING {_REQUEST}",
        account_id,
        request_id,
    )
    return _request(rows[0]) if rows else None


async def list_requests(
    database: Database, account_id: AccountId, query: RequestQuery
) -> list[ErasureRequest]:
    """Newest first, at most 1000."""
    rows = await database.read(
        f"SELECT {_REQUEST} FROM erasure_requests WHERE account_id = $1 AND ($2 = '' OR state = $2)"
        " AND requested_at >= $3 AND requested_at <= $4 ORDER BY request_id DESC LIMIT 1000",
        account_id,
        query.state.value if query.state else "",
        query.from_ms if query.from_ms is not None else 0,
        query.to_ms if query.to_ms is not None else 2**62,
    )
    return [_request(row) for row in rows]


async def cancel(
    tx: Transaction, account_id: AccountId, request_id: int, cancelled_by: str, at_ms: int
) -> None:
    await tx.execute(
        "UPDATE erasure_requests SET state = 'CANCELED', cancelled_by = $3, cancelled_at = $4"
        " WHERE account_id = $1 AND request_id = $2",
        account_id,
        request_id,
        cancelled_by,
        at_ms,
    )


async def list_cancelled(database: Database) -> list[ErasureRequest]:
    """Of all accounts: what the ledger has to know."""
    rows = await database.read(f"SELECT {_REQUEST} FROM erasure_requests WHERE state = 'CANCELED'")
    return [_request(row) for row in rows]


async def cancel_again(tx: Transaction, request: ErasureRequest) -> None:
    """Of a ledger: the request is there as it stood when it was taken back, unless it was begun here."""
    await insert_request(tx, request)
    await tx.execute(
        "UPDATE erasure_requests SET state = 'CANCELED', cancelled_by = $3, cancelled_at = $4"
        " WHERE account_id = $1 AND request_id = $2 AND state = 'NOT_STARTED'",
        *(request.account_id, request.request_id, request.cancelled_by, request.cancelled_at_ms),
    )


async def claim_due(tx: Transaction, now_ms: int, until_ms: int) -> ErasureRequest | None:
    """Take a request of any account whose turn it is; nobody else takes it until then."""
    due = await tx.fetch(
        "SELECT account_id, request_id FROM erasure_requests"
        " WHERE state IN ('NOT_STARTED', 'IN_PROGRESS') AND next_try_at <= $1 ORDER BY next_try_at LIMIT 1",
        now_ms,
    )
    for row in due:
        rows = await tx.fetch(
            "UPDATE erasure_requests SET state = 'IN_PROGRESS', next_try_at = $3"
            " WHERE account_id = $1 AND request_id = $2 AND next_try_at <= $4"
            f" AND state IN ('NOT_STARTED', 'IN_PROGRESS') RETURNING {_REQUEST}",
            row["account_id"],
            row["request_id"],
            until_ms,
            now_ms,
        )
        return _request(rows[0]) if rows else None
    return None


async def release_claims(tx: Transaction, now_ms: int) -> None:
    """What a node that died had in hand has its turn now; were another at it, twice does no harm."""
    await tx.execute(
        "UPDATE erasure_requests SET next_try_at = $1 WHERE state = 'IN_PROGRESS' AND next_try_at > $1",
        now_ms,
    )


async def set_left(tx: Transaction, request: ErasureRequest, left_open: int, next_try_at_ms: int) -> None:
    """Not all could go yet: look again then."""
    await tx.execute(
        "UPDATE erasure_requests SET left_open = $3, next_try_at = $4"
        " WHERE account_id = $1 AND request_id = $2",
        request.account_id,
        request.request_id,
        left_open,
        next_try_at_ms,
    )


async def set_done(tx: Transaction, account_id: AccountId, request_id: int) -> None:
    await tx.execute(
        "UPDATE erasure_requests SET state = 'DONE', left_open = 0 WHERE account_id = $1 AND request_id = $2",
        account_id,
        request_id,
    )


async def count_overdue(database: Database, now_ms: int) -> int:
    """Requests of all accounts whose deadline passed and that are not done."""
    rows = await database.read(
        "SELECT COUNT(*) AS n FROM erasure_requests"
        " WHERE state IN ('NOT_STARTED', 'IN_PROGRESS') AND deadline_at <= $1",
        now_ms,
    )
    return int(rows[0]["n"])


async def insert_items(tx: Transaction, request: ErasureRequest, items: Sequence[Item]) -> None:
    """What a request takes in hand; what it has already stays as it is."""
    if items:
        await tx.execute_many(
            "INSERT INTO erasure_items (account_id, request_id, kind, ref, detail, done_at)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            [
                (request.account_id, request.request_id, i.kind.value, i.ref, json.dumps(i.detail), i.done_at_ms)
                for i in items
            ],
        )  # fmt: skip


async def take_up_again(tx: Transaction, request: ErasureRequest, items: Sequence[Item]) -> None:
    """Of these, something came back after they were done: they are not done any more."""
    await tx.execute_many(
        "UPDATE erasure_items SET done_at = NULL"
        " WHERE account_id = $1 AND request_id = $2 AND kind = $3 AND ref = $4 AND done_at IS NOT NULL",
        [(request.account_id, request.request_id, item.kind.value, item.ref) for item in items],
    )


async def finish_items(tx: Transaction, request: ErasureRequest, items: Sequence[Item], at_ms: int) -> None:
    if items:
        await tx.execute_many(
            "UPDATE erasure_items SET detail = $5, done_at = $6"
            " WHERE account_id = $1 AND request_id = $2 AND kind = $3 AND ref = $4 AND done_at IS NULL",
            [
                (request.account_id, request.request_id, i.kind.value, i.ref, json.dumps(i.detail), at_ms)
                for i in items
            ],
        )


async def list_items(database: Database, account_id: AccountId, request_id: int) -> list[Item]:
    rows = await database.read(
        "SELECT kind, ref, detail, done_at FROM erasure_items WHERE account_id = $1 AND request_id = $2"
        " ORDER BY kind, ref",
        account_id,
        request_id,
    )
    return [Item(ItemKind(r["kind"]), r["ref"], json.loads(r["detail"]), r["done_at"]) for r in rows]


async def is_erased(read: Callable[..., Awaitable[Sequence[Row]]], account_id: str, consumer_id: str) -> bool:
    """Whether a consumer was erased, or is just being, and has not come back by a new conversation since."""
    rows = await read(
        "SELECT 1 AS one FROM erasure_items i"
        " WHERE i.account_id = $1 AND i.kind = 'consumer' AND i.ref = $2 AND NOT EXISTS ("
        "SELECT 1 FROM conversations c WHERE c.account_id = $1 AND c.consumer_id = $2 AND NOT EXISTS ("
        "SELECT 1 FROM erasure_items e WHERE e.account_id = $1 AND e.kind = 'conversation'"
        " AND e.ref = c.conversation_id)) LIMIT 1",
        account_id,
        consumer_id,
    )
    return bool(rows)


async def insert_receipt(
    tx: Transaction, account_id: AccountId, request_id: int, receipt: str, at_ms: int
) -> None:
    await tx.execute(
        "INSERT INTO erasure_receipts (account_id, request_id, at, receipt) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        account_id,
        request_id,
        at_ms,
        receipt,
    )


async def list_receipts(database: Database, account_id: AccountId) -> list[StoredReceipt]:
    """Newest first, at most 1000."""
    rows = await database.read(
        "SELECT request_id, at, receipt FROM erasure_receipts WHERE account_id = $1"
        " ORDER BY request_id DESC LIMIT 1000",
        account_id,
    )
    return [StoredReceipt(row["request_id"], row["at"], row["receipt"]) for row in rows]


async def find_receipt(database: Database, account_id: AccountId, request_id: int) -> StoredReceipt | None:
    rows = await database.read(
        "SELECT request_id, at, receipt FROM erasure_receipts WHERE account_id = $1 AND request_id = $2",
        account_id,
        request_id,
    )
    return StoredReceipt(rows[0]["request_id"], rows[0]["at"], rows[0]["receipt"]) if rows else None


async def list_seen(database: Database) -> set[str]:
    """The ledger's entries that this database has carried out, of all accounts."""
    rows = await database.read("SELECT account_id, entry_id FROM erasure_ledger_seen")
    return {row["entry_id"] for row in rows}


async def insert_seen(tx: Transaction, account_id: AccountId, entry_id: str, at_ms: int) -> None:
    await tx.execute(
        "INSERT INTO erasure_ledger_seen (account_id, entry_id, at) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING",
        account_id,
        entry_id,
        at_ms,
    )
