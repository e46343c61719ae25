"""The SQL of agents and profiles."""

import json

import msgspec

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.identity.model import Privilege
from talkwire.identity.rules import login_key
from talkwire.identity.users import BUILT_IN_PROFILES, AgentUser, Profile
from talkwire.kernel.ids import AccountId, ParticipantId

_decoder = msgspec.json.Decoder(AgentUser)


def _agent(row: Row) -> AgentUser:
    return _decoder.decode(row["record"])


async def find_agent(database: Database, account_id: AccountId, any_id: str) -> AgentUser | None:
    """By PId or user id."""
    rows = await database.read(
        "SELECT record FROM agents WHERE account_id = $1 AND (agent_id = $2 OR user_id = $2) "
        "AND is_deleted = 0",
        account_id,
        any_id,
    )
    return _agent(rows[0]) if rows else None


async def find_by_login(
    database: Database, account_id: AccountId, login_name: str
) -> tuple[AgentUser, str] | None:
    """The user and its password hash."""
    rows = await database.read(
        "SELECT record, password_hash FROM agents WHERE account_id = $1 AND login_key = $2 AND is_deleted = 0",
        account_id,
        login_key(login_name),
    )
    return (_agent(rows[0]), rows[0]["password_hash"]) if rows else None


async def list_agents(database: Database, account_id: AccountId) -> list[AgentUser]:
    rows = await database.read(
        "SELECT record FROM agents WHERE account_id = $1 AND is_deleted = 0 ORDER BY login_key", account_id
    )
    return [_agent(row) for row in rows]


async def read_agent(tx: Transaction, account_id: AccountId, agent_id: ParticipantId) -> AgentUser | None:
    rows = await tx.fetch(
        "SELECT record FROM agents WHERE account_id = $1 AND agent_id = $2 AND is_deleted = 0",
        account_id,
        agent_id,
    )
    return _agent(rows[0]) if rows else None


async def is_taken(tx: Transaction, user: AgentUser) -> bool:
    """Whether another user of the account has the login name or the user id."""
    rows = await tx.fetch(
        "SELECT agent_id FROM agents WHERE account_id = $1 AND (login_key = $2 OR user_id = $3) "
        "AND agent_id <> $4",
        user.account_id,
        login_key(user.login_name),
        user.user_id,
        user.id,
    )
    return bool(rows)


async def insert_agent(tx: Transaction, user: AgentUser, password_hash: str) -> None:
    await tx.execute(
        "INSERT INTO agents (account_id, agent_id, user_id, login_name, login_key, password_hash, is_deleted, "
        "created_at, updated_at, record, departure) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)",
        user.account_id,
        user.id,
        user.user_id,
        user.login_name,
        login_key(user.login_name),
        password_hash,
        user.created_at_ms,
        user.updated_at_ms,
        msgspec.json.encode(user).decode(),
        int(not user.enabled),
    )


async def update_agent(tx: Transaction, user: AgentUser) -> None:
    """Who is disabled has departed from that moment on: routing takes it out of its conversations."""
    await tx.execute(
        "UPDATE agents SET login_name = $3, login_key = $4, updated_at = $5, record = $6, "
        "departure = CASE WHEN $7 = 1 THEN 0 WHEN departure = 0 THEN 1 ELSE departure END "
        "WHERE account_id = $1 AND agent_id = $2",
        user.account_id,
        user.id,
        user.login_name,
        login_key(user.login_name),
        user.updated_at_ms,
        msgspec.json.encode(user).decode(),
        int(user.enabled),
    )


async def update_password(tx: Transaction, user: AgentUser, password_hash: str) -> None:
    await tx.execute(
        "UPDATE agents SET password_hash = $3 WHERE account_id = $1 AND agent_id = $2",
        user.account_id,
        user.id,
        password_hash,
    )


async def delete_agent(tx: Transaction, user: AgentUser, at_ms: int) -> None:
    """Take the user away and free its login name; the row stays, so that its user id is never given again."""
    await tx.execute(
        "UPDATE agents SET is_deleted = 1, departure = 1, login_key = $3, password_hash = '', updated_at = $4 "
        "WHERE account_id = $1 AND agent_id = $2",
        user.account_id,
        user.id,
        f"\n{user.id}",  # no login name holds a newline
        at_ms,
    )


async def load_profiles(database: Database, account_id: AccountId) -> dict[str, Profile]:
    """The built-in profiles, as this account changed them."""
    profiles = {profile.name: profile for profile in BUILT_IN_PROFILES}
    for row in await database.read("SELECT * FROM profiles WHERE account_id = $1", account_id):
        built_in = profiles.get(row["name"])
        if built_in is not None:
            privileges = frozenset(Privilege(number) for number in json.loads(row["privileges"]))
            profiles[row["name"]] = Profile(built_in.name, built_in.id, privileges, row["max_conversations"])
    return profiles


async def upsert_profile(tx: Transaction, account_id: AccountId, profile: Profile) -> None:
    await tx.execute(
        "INSERT INTO profiles (account_id, name, privileges, max_conversations) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (account_id, name) DO UPDATE SET privileges = excluded.privileges, "
        "max_conversations = excluded.max_conversations",
        account_id,
        profile.name,
        json.dumps(sorted(profile.privileges)),
        profile.max_conversations,
    )
