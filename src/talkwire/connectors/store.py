"""The SQL of installations. Deleted ones stay as rows: tokens that name them are refused for what they are."""

import msgspec

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.connectors.model import App
from talkwire.kernel.ids import AccountId

ONE = "SELECT record, sealed_secret FROM apps WHERE account_id = $1 AND client_id = $2"
_records = msgspec.json.Decoder(App)


def _app(row: Row) -> App:
    return msgspec.structs.replace(_records.decode(row["record"]), sealed_secret=bytes(row["sealed_secret"]))


async def find(database: Database, account_id: AccountId, client_id: str) -> App | None:
    rows = await database.read(ONE, account_id, client_id)
    return _app(rows[0]) if rows else None


async def find_in(tx: Transaction, account_id: AccountId, client_id: str) -> App | None:
    rows = await tx.fetch(ONE, account_id, client_id)
    return _app(rows[0]) if rows else None


async def list_apps(database: Database, account_id: AccountId) -> list[App]:
    """Oldest first, deleted ones among them."""
    rows = await database.read(
        "SELECT record, sealed_secret FROM apps WHERE account_id = $1 ORDER BY created_at, client_id",
        account_id,
    )
    return [_app(row) for row in rows]


async def save(tx: Transaction, app: App) -> App:
    """Write it, new or changed; gives it back."""
    record = msgspec.json.encode(msgspec.structs.replace(app, sealed_secret=b"")).decode()
    await tx.execute(
        "INSERT INTO apps (account_id, client_id, is_deleted, created_at, updated_at, sealed_secret, record) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, client_id) DO UPDATE SET "
        "is_deleted = excluded.is_deleted, updated_at = excluded.updated_at, "
        "sealed_secret = excluded.sealed_secret, record = excluded.record",
        *(app.account_id, app.client_id, int(app.deleted), app.created_at_ms, app.updated_at_ms),
        *(app.sealed_secret, record),
    )
    return app


async def find_signing_secret(database: Database, account_id: AccountId) -> bytes | None:
    """The sealed secret that the account's ConsumerJWS are signed with."""
    rows = await database.read(
        "SELECT sealed_secret FROM consumer_token_secrets WHERE account_id = $1", account_id
    )
    return bytes(rows[0]["sealed_secret"]) if rows else None


async def keep_signing_secret(tx: Transaction, account_id: AccountId, sealed: bytes, now_ms: int) -> bytes:
    """Keep a first one; gives what is kept, which may be another node's."""
    await tx.execute(
        "INSERT INTO consumer_token_secrets (account_id, sealed_secret, created_at) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING",
        *(account_id, sealed, now_ms),
    )
    rows = await tx.fetch(
        "SELECT sealed_secret FROM consumer_token_secrets WHERE account_id = $1", account_id
    )
    return bytes(rows[0]["sealed_secret"])
