"""The SQL of installations. Deleted ones stay as rows: tokens that name them are refused for what they are."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.connectors.model import App
from talkwire.kernel.ids import AccountId

COLUMNS = "SELECT record, sealed_secret, sealed_webhooks FROM apps"
_records = msgspec.json.Decoder(App)


class StoredApp(NamedTuple):
    """An installation as it lies: its webhooks are sealed beside it."""

    app: App
    sealed_webhooks: bytes


def _stored(row: Row) -> StoredApp:
    app = msgspec.structs.replace(_records.decode(row["record"]), sealed_secret=bytes(row["sealed_secret"]))
    return StoredApp(app, bytes(row["sealed_webhooks"]))


async def find(database: Database, account_id: AccountId, client_id: str) -> StoredApp | None:
    rows = await database.read(f"{COLUMNS} WHERE account_id = $1 AND client_id = $2", account_id, client_id)
    return _stored(rows[0]) if rows else None


async def list_apps(database: Database, account_id: AccountId) -> Sequence[StoredApp]:
    """Oldest first, without those that were let go."""
    rows = await database.read(
        f"{COLUMNS} WHERE account_id = $1 AND is_deleted = 0 ORDER BY created_at, client_id", account_id
    )
    return [_stored(row) for row in rows]


async def find_revision(tx: Transaction, account_id: AccountId, client_id: str) -> int | None:
    """At which revision it was last written."""
    rows = await tx.fetch(
        "SELECT revision FROM apps WHERE account_id = $1 AND client_id = $2", account_id, client_id
    )
    return rows[0]["revision"] if rows else None


async def save(tx: Transaction, app: App, sealed_webhooks: bytes) -> App:
    """Write it, new or changed; gives it back."""
    bare = msgspec.structs.replace(app, webhooks={}, sealed_secret=b"")
    await tx.execute(
        "INSERT INTO apps (account_id, client_id, is_deleted, created_at, updated_at, revision, sealed_secret, "
        "sealed_webhooks, record) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (account_id, client_id) DO UPDATE SET is_deleted = excluded.is_deleted, "
        "updated_at = excluded.updated_at, revision = excluded.revision, "
        "sealed_secret = excluded.sealed_secret, sealed_webhooks = excluded.sealed_webhooks, "
        "record = excluded.record",
        *(app.account_id, app.client_id, int(app.deleted), app.created_at_ms, app.updated_at_ms),
        *(app.revision, app.sealed_secret, sealed_webhooks, msgspec.json.encode(bare).decode()),
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
