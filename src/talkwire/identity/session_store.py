"""The SQL of sessions and application keys. Bearers, cookies and csrf tokens are kept as digests only."""

import msgspec

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.kernel.ids import AccountId, ParticipantId


class Session(msgspec.Struct, frozen=True):
    """A sign-in of an agent, as stored."""

    account_id: AccountId
    session_id: str  # the bearer's digest
    cookie_digest: str
    csrf_digest: str
    agent_id: ParticipantId
    created_at_ms: int
    used_at_ms: int
    expires_at_ms: int


class ApiKey(msgspec.Struct, frozen=True):
    """An application key with its access token, bound to one user.

    The secrets are kept, sealed in the vault: a signed request (OAuth 1.0a) can only be checked with them.
    """

    account_id: AccountId
    app_key: str
    secret: str
    access_token: str
    access_token_secret: str
    agent_id: ParticipantId
    created_at_ms: int


def _session(row: Row) -> Session:
    return Session(
        account_id=AccountId(row["account_id"]),
        session_id=row["session_id"],
        cookie_digest=row["cookie_digest"],
        csrf_digest=row["csrf_digest"],
        agent_id=ParticipantId(row["agent_id"]),
        created_at_ms=row["created_at"],
        used_at_ms=row["used_at"],
        expires_at_ms=row["expires_at"],
    )


async def insert_session(tx: Transaction, session: Session) -> None:
    await tx.execute(
        "INSERT INTO sessions (account_id, session_id, cookie_digest, csrf_digest, agent_id, created_at, "
        "used_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        session.account_id,
        session.session_id,
        session.cookie_digest,
        session.csrf_digest,
        session.agent_id,
        session.created_at_ms,
        session.used_at_ms,
        session.expires_at_ms,
    )


async def find_session(database: Database, account_id: AccountId, session_id: str) -> Session | None:
    rows = await database.read(
        "SELECT * FROM sessions WHERE account_id = $1 AND session_id = $2", account_id, session_id
    )
    return _session(rows[0]) if rows else None


async def find_by_cookie(database: Database, account_id: AccountId, cookie_digest: str) -> Session | None:
    rows = await database.read(
        "SELECT * FROM sessions WHERE account_id = $1 AND cookie_digest = $2", account_id, cookie_digest
    )
    return _session(rows[0]) if rows else None


async def touch_session(tx: Transaction, account_id: AccountId, session_id: str, at_ms: int) -> bool:
    """Note that it was used; False when it is not there any more."""
    touched = await tx.execute(
        "UPDATE sessions SET used_at = $3 WHERE account_id = $1 AND session_id = $2",
        account_id,
        session_id,
        at_ms,
    )
    return touched == 1


async def delete_session(tx: Transaction, account_id: AccountId, session_id: str) -> None:
    await tx.execute("DELETE FROM sessions WHERE account_id = $1 AND session_id = $2", account_id, session_id)


async def delete_sessions_of(
    tx: Transaction, account_id: AccountId, agent_id: ParticipantId
) -> tuple[str, ...]:
    """End all sign-ins of an agent; gives their session ids."""
    rows = await tx.fetch(
        "DELETE FROM sessions WHERE account_id = $1 AND agent_id = $2 RETURNING session_id",
        account_id,
        agent_id,
    )
    return tuple(row["session_id"] for row in rows)


async def delete_ended(tx: Transaction, account_id: AccountId, now_ms: int, idle_ms: int) -> int:
    return await tx.execute(
        "DELETE FROM sessions WHERE account_id = $1 AND (expires_at <= $2 OR used_at <= $3)",
        account_id,
        now_ms,
        now_ms - idle_ms,
    )


async def insert_api_key(tx: Transaction, key: ApiKey) -> None:
    await tx.execute(
        "INSERT INTO api_keys (account_id, app_key, secret, access_token, access_token_secret, agent_id, "
        "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        key.account_id,
        key.app_key,
        key.secret,
        key.access_token,
        key.access_token_secret,
        key.agent_id,
        key.created_at_ms,
    )


async def find_api_key(database: Database, account_id: AccountId, app_key: str) -> ApiKey | None:
    rows = await database.read(
        "SELECT * FROM api_keys WHERE account_id = $1 AND app_key = $2", account_id, app_key
    )
    if not rows:
        return None
    row = rows[0]
    return ApiKey(
        account_id=AccountId(row["account_id"]),
        app_key=row["app_key"],
        secret=row["secret"],
        access_token=row["access_token"],
        access_token_secret=row["access_token_secret"],
        agent_id=ParticipantId(row["agent_id"]),
        created_at_ms=row["created_at"],
    )


async def delete_api_key(tx: Transaction, account_id: AccountId, app_key: str) -> bool:
    deleted = await tx.execute(
        "DELETE FROM api_keys WHERE account_id = $1 AND app_key = $2", account_id, app_key
    )
    return deleted == 1


async def delete_api_keys_of(tx: Transaction, account_id: AccountId, agent_id: ParticipantId) -> None:
    await tx.execute("DELETE FROM api_keys WHERE account_id = $1 AND agent_id = $2", account_id, agent_id)
