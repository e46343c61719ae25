"""The SQL of dead letters: deliveries that were given up."""

from collections.abc import Iterable

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.connectors.deliveries_store import DELIVERY, delivery_columns, delivery_of
from talkwire.connectors.delivery_model import DeadLetter, Endpoint, StoredLetter
from talkwire.kernel.ids import AccountId

_LETTER = f"account_id, endpoint_id, client_id, url, {DELIVERY}, reason, attempts, last_error, died_at"


async def put_dead(tx: Transaction, endpoint: Endpoint, letters: Iterable[DeadLetter]) -> None:
    await tx.execute_many(
        f"INSERT INTO webhook_dead_letters ({_LETTER}) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
        "ON CONFLICT (account_id, endpoint_id, delivery_id) DO UPDATE SET reason = excluded.reason, "
        "attempts = excluded.attempts, last_error = excluded.last_error, died_at = excluded.died_at",
        [
            (
                *(endpoint.account_id, endpoint.endpoint_id, endpoint.client_id, endpoint.url),
                *delivery_columns(letter.delivery),
                *(letter.reason, letter.attempts, letter.last_error, letter.died_at_ms),
            )
            for letter in letters
        ],
    )


async def list_dead(
    database: Database, account_id: AccountId, client_id: str, limit: int, before_ms: int
) -> list[StoredLetter]:
    """The newest first; an empty `client_id` means every app."""
    rows = await database.read(
        f"SELECT {_LETTER} FROM webhook_dead_letters WHERE account_id = $1 "
        "AND ($2 = '' OR client_id = $2) AND died_at < $3 ORDER BY died_at DESC, delivery_id LIMIT $4",
        *(account_id, client_id, before_ms, limit),
    )
    return [letter_of(row) for row in rows]


async def page_dead(
    database: Database,
    account_id: AccountId,
    client_id: str,
    until_ms: int,
    after: tuple[str, str],
    limit: int,
) -> list[StoredLetter]:
    """Those that died until then, behind an endpoint's id and a delivery's; to go through all of them."""
    rows = await database.read(
        f"SELECT {_LETTER} FROM webhook_dead_letters WHERE account_id = $1 "
        "AND ($2 = '' OR client_id = $2) AND died_at <= $3 "
        "AND (endpoint_id > $4 OR (endpoint_id = $4 AND delivery_id > $5)) "
        "ORDER BY endpoint_id, delivery_id LIMIT $6",
        *(account_id, client_id, until_ms, *after, limit),
    )
    return [letter_of(row) for row in rows]


async def find_dead(database: Database, account_id: AccountId, delivery_id: str) -> list[StoredLetter]:
    """One for each endpoint that did not get it."""
    rows = await database.read(
        f"SELECT {_LETTER} FROM webhook_dead_letters WHERE account_id = $1 AND delivery_id = $2",
        *(account_id, delivery_id),
    )
    return [letter_of(row) for row in rows]


def letter_of(row: Row) -> StoredLetter:
    return StoredLetter(
        account_id=AccountId(row["account_id"]),
        endpoint_id=row["endpoint_id"],
        client_id=row["client_id"],
        url=row["url"],
        delivery=delivery_of(row),
        reason=row["reason"],
        attempts=row["attempts"],
        last_error=row["last_error"],
        died_at_ms=row["died_at"],
    )


async def remove_dead(tx: Transaction, account_id: AccountId, endpoint_id: str, delivery_id: str) -> int:
    return await tx.execute(
        "DELETE FROM webhook_dead_letters WHERE account_id = $1 AND endpoint_id = $2 AND delivery_id = $3",
        *(account_id, endpoint_id, delivery_id),
    )


async def purge_dead(tx: Transaction, before_ms: int) -> int:
    """Forget the dead letters of every account that are older."""
    return await tx.execute("DELETE FROM webhook_dead_letters WHERE died_at < $1", before_ms)


async def is_told(tx: Transaction, letter: StoredLetter) -> bool:
    """Whether the letter's endpoint is there and is told of such events."""
    rows = await tx.fetch(
        "SELECT event_keys FROM webhook_endpoints WHERE account_id = $1 AND endpoint_id = $2",
        *(letter.account_id, letter.endpoint_id),
    )
    return bool(rows) and letter.delivery.event_key in rows[0]["event_keys"].split()
