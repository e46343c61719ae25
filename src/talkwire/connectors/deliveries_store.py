"""The SQL of delivery: endpoints and their leases, cursors, retries. Dead letters have a file of their own."""

from collections.abc import Iterable, Sequence

import msgspec

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.connectors.delivery_model import (
    Cursor,
    Delivery,
    Endpoint,
    EndpointReport,
    EndpointState,
    Health,
    Retry,
)
from talkwire.kernel.ids import AccountId

_encode = msgspec.json.Encoder().encode
_decode_positions = msgspec.json.Decoder(dict[str, int]).decode

_ENDPOINT = (
    "account_id, endpoint_id, client_id, url, event_keys, since, looked_until, "
    "state, state_at, failures, retry_at, last_error, lease_holder, lease_until"
)
_CURSOR = "conversation_id, told_version, positions, attempts, retry_at, is_done"
DELIVERY = "delivery_id, event_key, conversation_id, dialog_id, sequence, event_at"
_EVENTS_NOW = (
    "(SELECT SUM(d.last_sequence + 1) FROM dialogs d "
    "WHERE d.account_id = w.account_id AND d.conversation_id = w.conversation_id)"
)
_IS_BEHIND = f"(c.version > w.told_version OR {_EVENTS_NOW} > w.told_events)"


# --- endpoints


def endpoint_of(row: Row) -> Endpoint:
    return Endpoint(
        account_id=AccountId(row["account_id"]),
        endpoint_id=row["endpoint_id"],
        client_id=row["client_id"],
        url=row["url"],
        event_keys=tuple(row["event_keys"].split()),
        since_ms=row["since"],
        looked_until_ms=row["looked_until"],
    )


def health_of(row: Row) -> Health:
    return Health(
        state=EndpointState(row["state"]),
        at_ms=row["state_at"],
        failures=row["failures"],
        retry_at_ms=row["retry_at"],
        last_error=row["last_error"],
    )


async def lock_app(tx: Transaction, account_id: AccountId, client_id: str) -> list[Endpoint]:
    """The endpoints of an app as they stand, kept still until the unit ends."""
    rows = await tx.fetch(
        "UPDATE webhook_endpoints SET url = url WHERE account_id = $1 AND client_id = $2 "
        f"RETURNING {_ENDPOINT}",
        account_id,
        client_id,
    )
    return sorted((endpoint_of(row) for row in rows), key=lambda endpoint: endpoint.endpoint_id)


async def put_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """Write what is configured; how it fares stays."""
    await tx.execute(
        f"INSERT INTO webhook_endpoints ({_ENDPOINT}) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, 'UP', $6, 0, 0, '', '', 0) "
        "ON CONFLICT (account_id, endpoint_id) DO UPDATE SET url = excluded.url, "
        "event_keys = excluded.event_keys",
        *(endpoint.account_id, endpoint.endpoint_id, endpoint.client_id, endpoint.url),
        *(" ".join(endpoint.event_keys), endpoint.since_ms, endpoint.looked_until_ms),
    )


async def remove_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """Forget an endpoint; its dead letters stay."""
    for table in ("webhook_cursors", "webhook_retries", "webhook_endpoints"):
        await tx.execute(
            f"DELETE FROM {table} WHERE account_id = $1 AND endpoint_id = $2",
            endpoint.account_id,
            endpoint.endpoint_id,
        )


async def endpoints_of(database: Database, account_id: AccountId, client_id: str) -> list[Row]:
    return list(
        await database.read(
            f"SELECT {_ENDPOINT} FROM webhook_endpoints WHERE account_id = $1 AND client_id = $2 "
            "ORDER BY endpoint_id",
            account_id,
            client_id,
        )
    )


async def claim(
    tx: Transaction, account_id: AccountId, endpoint_id: str, holder: str, now_ms: int, until_ms: int
) -> Row | None:
    """Take or renew the lease; the endpoint's row when it is ours."""
    rows = await tx.fetch(
        "UPDATE webhook_endpoints SET lease_holder = $3, lease_until = $5 "
        "WHERE account_id = $1 AND endpoint_id = $2 AND (lease_holder = $3 OR lease_until <= $4) "
        f"RETURNING {_ENDPOINT}",
        *(account_id, endpoint_id, holder, now_ms, until_ms),
    )
    return rows[0] if rows else None


async def release(tx: Transaction, account_id: AccountId, endpoint_id: str, holder: str) -> None:
    await tx.execute(
        "UPDATE webhook_endpoints SET lease_holder = '', lease_until = 0 "
        "WHERE account_id = $1 AND endpoint_id = $2 AND lease_holder = $3",
        *(account_id, endpoint_id, holder),
    )


async def put_health(tx: Transaction, account_id: AccountId, endpoint_id: str, health: Health) -> None:
    await tx.execute(
        "UPDATE webhook_endpoints SET state = $3, state_at = $4, failures = $5, retry_at = $6, "
        "last_error = $7 WHERE account_id = $1 AND endpoint_id = $2",
        *(account_id, endpoint_id, health.state.value, health.at_ms, health.failures),
        *(health.retry_at_ms, health.last_error),
    )


async def put_looked_until(tx: Transaction, account_id: AccountId, endpoint_id: str, at_ms: int) -> None:
    await tx.execute(
        "UPDATE webhook_endpoints SET looked_until = $3 WHERE account_id = $1 AND endpoint_id = $2",
        *(account_id, endpoint_id, at_ms),
    )


# --- cursors


def cursor_of(row: Row) -> Cursor:
    return Cursor(
        conversation_id=row["conversation_id"],
        told_version=row["told_version"],
        positions=_decode_positions(row["positions"]),
        attempts=row["attempts"],
        retry_at_ms=row["retry_at"],
        is_done=bool(row["is_done"]),
    )


async def find_cursor(
    database: Database, account_id: AccountId, endpoint_id: str, conversation_id: str
) -> Cursor | None:
    rows = await database.read(
        f"SELECT {_CURSOR} FROM webhook_cursors "
        "WHERE account_id = $1 AND endpoint_id = $2 AND conversation_id = $3",
        *(account_id, endpoint_id, conversation_id),
    )
    return cursor_of(rows[0]) if rows else None


async def put_cursors(
    tx: Transaction, account_id: AccountId, endpoint_id: str, cursors: Iterable[Cursor]
) -> None:
    """Move cursors on; one that stands further already (another node's) stays."""
    await tx.execute_many(
        "INSERT INTO webhook_cursors (account_id, endpoint_id, conversation_id, told_version, told_events, "
        "positions, attempts, retry_at, is_done) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (account_id, endpoint_id, conversation_id) DO UPDATE SET "
        "told_version = excluded.told_version, told_events = excluded.told_events, "
        "positions = excluded.positions, attempts = excluded.attempts, retry_at = excluded.retry_at, "
        "is_done = excluded.is_done WHERE excluded.told_events >= webhook_cursors.told_events "
        "AND excluded.told_version >= webhook_cursors.told_version",
        [
            (
                *(account_id, endpoint_id, c.conversation_id, c.told_version, c.told_events),
                *(_encode(c.positions).decode(), c.attempts, c.retry_at_ms, int(c.is_done)),
            )
            for c in cursors
        ],
    )


async def changed_since(
    database: Database, endpoint: Endpoint, since_ms: int, after_id: str, limit: int
) -> Sequence[Row]:
    """Conversations of the app whose record changed from then on, in that order, with what was told of them."""
    return await database.read(
        "SELECT c.conversation_id, c.created_at, c.updated_at, c.version, w.told_version FROM conversations c "
        "LEFT JOIN webhook_cursors w ON w.account_id = c.account_id AND w.endpoint_id = $3 "
        "AND w.conversation_id = c.conversation_id "
        "WHERE c.account_id = $1 AND c.app_id = $2 AND c.app_id <> '' "
        "AND (c.updated_at > $4 OR (c.updated_at = $4 AND c.conversation_id > $5)) "
        "ORDER BY c.updated_at, c.conversation_id LIMIT $6",
        *(endpoint.account_id, endpoint.client_id, endpoint.endpoint_id, since_ms, after_id, limit),
    )


async def open_cursors(
    database: Database, endpoint: Endpoint, after_id: str, now_ms: int, limit: int
) -> Sequence[Row]:
    """Cursors of open conversations behind an id, each with `is_behind`: 1 when there is something to tell now."""
    return await database.read(
        f"SELECT {', '.join(f'w.{name}' for name in _CURSOR.split(', '))}, "
        f"c.version, {_EVENTS_NOW} AS events, "
        f"CASE WHEN w.retry_at <= $4 AND {_IS_BEHIND} THEN 1 ELSE 0 END AS is_behind "
        "FROM webhook_cursors w JOIN conversations c ON c.account_id = w.account_id "
        "AND c.conversation_id = w.conversation_id "
        "WHERE w.account_id = $1 AND w.endpoint_id = $2 AND w.is_done = 0 AND w.conversation_id > $3 "
        "ORDER BY w.conversation_id LIMIT $5",
        *(endpoint.account_id, endpoint.endpoint_id, after_id, now_ms, limit),
    )


async def starts_since(
    database: Database, account_id: AccountId, conversation_id: str, since_ms: int
) -> dict[str, int]:
    """For each dialog the first sequence from a moment on: where an endpoint that came later begins."""
    rows = await database.read(
        "SELECT d.dialog_id, COALESCE((SELECT MIN(e.sequence) FROM logged_events e "
        "WHERE e.dialog_number = d.number AND e.at >= $3), d.last_sequence + 1) AS start FROM dialogs d "
        "WHERE d.account_id = $1 AND d.conversation_id = $2",
        *(account_id, conversation_id, since_ms),
    )
    return {row["dialog_id"]: int(row["start"]) for row in rows}


# --- retries


def delivery_of(row: Row) -> Delivery:
    return Delivery(
        delivery_id=row["delivery_id"],
        event_key=row["event_key"],
        conversation_id=row["conversation_id"],
        dialog_id=row["dialog_id"],
        sequence=row["sequence"],
        event_at_ms=row["event_at"],
    )


def delivery_columns(delivery: Delivery) -> tuple[object, ...]:
    return (
        *(delivery.delivery_id, delivery.event_key, delivery.conversation_id),
        *(delivery.dialog_id, delivery.sequence, delivery.event_at_ms),
    )


async def put_retries(
    tx: Transaction, account_id: AccountId, endpoint_id: str, retries: Iterable[Retry]
) -> None:
    await tx.execute_many(
        "INSERT INTO webhook_retries "
        f"(account_id, endpoint_id, {DELIVERY}, attempts, retry_at, last_error) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "ON CONFLICT (account_id, endpoint_id, delivery_id) DO UPDATE SET attempts = excluded.attempts, "
        "retry_at = excluded.retry_at, last_error = excluded.last_error",
        [
            (
                *(account_id, endpoint_id, *delivery_columns(retry.delivery)),
                *(retry.attempts, retry.retry_at_ms, retry.last_error),
            )
            for retry in retries
        ],
    )


async def remove_retries(
    tx: Transaction, account_id: AccountId, endpoint_id: str, delivery_ids: Iterable[str]
) -> None:
    await tx.execute_many(
        "DELETE FROM webhook_retries WHERE account_id = $1 AND endpoint_id = $2 AND delivery_id = $3",
        [(account_id, endpoint_id, delivery_id) for delivery_id in delivery_ids],
    )


async def due_retries(database: Database, endpoint: Endpoint, now_ms: int, limit: int) -> list[Retry]:
    rows = await database.read(
        f"SELECT {DELIVERY}, attempts, retry_at, last_error FROM webhook_retries "
        "WHERE account_id = $1 AND endpoint_id = $2 AND retry_at <= $3 ORDER BY retry_at LIMIT $4",
        *(endpoint.account_id, endpoint.endpoint_id, now_ms, limit),
    )
    return [Retry(delivery_of(row), row["attempts"], row["retry_at"], row["last_error"]) for row in rows]


# --- what an operator sees


async def reports(database: Database, account_id: AccountId) -> list[EndpointReport]:
    rows = await database.read(
        f"SELECT {_ENDPOINT}, "
        "(SELECT COUNT(*) FROM webhook_cursors w JOIN conversations c ON c.account_id = w.account_id "
        "AND c.conversation_id = w.conversation_id WHERE w.account_id = e.account_id "
        f"AND w.endpoint_id = e.endpoint_id AND w.is_done = 0 AND {_IS_BEHIND}) AS waiting, "
        "(SELECT COUNT(*) FROM webhook_retries r WHERE r.account_id = e.account_id "
        "AND r.endpoint_id = e.endpoint_id) AS retrying, "
        "(SELECT COUNT(*) FROM webhook_dead_letters x WHERE x.account_id = e.account_id "
        "AND x.endpoint_id = e.endpoint_id) AS dead "
        "FROM webhook_endpoints e WHERE e.account_id = $1 ORDER BY e.client_id, e.url",
        account_id,
    )
    return [
        EndpointReport(
            endpoint=endpoint_of(row),
            state=EndpointState(row["state"]),
            state_at_ms=row["state_at"],
            failures=row["failures"],
            retry_at_ms=row["retry_at"],
            last_error=row["last_error"],
            waiting=row["waiting"],
            retrying=row["retrying"],
            dead=row["dead"],
        )
        for row in rows
    ]
