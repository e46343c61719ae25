"""The SQL of accounts."""

import json
from collections.abc import Mapping
from typing import Any

from talkwire.accounts.model import Account, Brand, StoredProperty
from talkwire.accounts.rules import check_revision
from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.kernel.ids import AccountId, SkillId


def _account(row: Row) -> Account:
    return Account(AccountId(row["account_id"]), row["name"], row["created_at"])


def _property(row: Row) -> StoredProperty:
    return StoredProperty(
        id=row["property_id"],
        value=json.loads(row["value"]),
        type=row["type"],
        deleted=bool(row["is_deleted"]),
        created_at_ms=row["created_at"],
        modified_at_ms=row["modified_at"],
    )


async def insert_account(tx: Transaction, account: Account) -> bool:
    """Whether it was new."""
    inserted = await tx.execute(
        "INSERT INTO accounts (account_id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        account.account_id,
        account.name,
        account.created_at_ms,
    )
    return inserted == 1


async def list_accounts(database: Database) -> list[Account]:
    """Every brand of this server: the one question that names no account; only the operator asks it."""
    return [_account(row) for row in await database.read("SELECT * FROM accounts ORDER BY account_id")]


async def find_account(database: Database, account_id: AccountId) -> Account | None:
    rows = await database.read("SELECT * FROM accounts WHERE account_id = $1", account_id)
    return _account(rows[0]) if rows else None


async def load_brand(database: Database, account: Account) -> Brand:
    account_id = account.account_id
    properties = await database.read("SELECT * FROM properties WHERE account_id = $1", account_id)
    grants = await database.read("SELECT * FROM feature_grants WHERE account_id = $1", account_id)
    campaigns = await database.read("SELECT * FROM campaigns WHERE account_id = $1", account_id)
    revisions = await database.read("SELECT * FROM revisions WHERE account_id = $1", account_id)
    return Brand(
        account=account,
        properties={row["property_id"]: _property(row) for row in properties},
        grants={row["name"]: row["value"] for row in grants},
        campaigns={(row["campaign_id"], row["engagement_id"]): SkillId(row["skill_id"]) for row in campaigns},
        revisions={row["collection"]: row["revision"] for row in revisions},
    )


async def next_revision(tx: Transaction, account_id: AccountId, collection: str, if_match: int) -> int:
    """Count a write to a collection; refuse it when its writer had read an older state.

    Raises RevisionStale. For the collections of other rooms (users, skills) too.
    """
    rows = await tx.fetch(
        "INSERT INTO revisions (account_id, collection, revision) VALUES ($1, $2, 1) "
        "ON CONFLICT (account_id, collection) DO UPDATE SET revision = revisions.revision + 1 "
        "RETURNING revision",
        account_id,
        collection,
    )
    revision = int(rows[0]["revision"])
    check_revision(if_match, revision - 1)
    return revision


async def find_revision(database: Database, account_id: AccountId, collection: str) -> int:
    rows = await database.read(
        "SELECT revision FROM revisions WHERE account_id = $1 AND collection = $2", account_id, collection
    )
    return int(rows[0]["revision"]) if rows else 0


async def upsert_property(tx: Transaction, account_id: AccountId, prop: StoredProperty) -> StoredProperty:
    """Write it; the first writer's creation date stays."""
    rows = await tx.fetch(
        "INSERT INTO properties (account_id, property_id, type, value, is_deleted, created_at, modified_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, property_id) DO UPDATE SET "
        "type = excluded.type, value = excluded.value, is_deleted = excluded.is_deleted, "
        "modified_at = excluded.modified_at RETURNING *",
        account_id,
        prop.id,
        prop.type,
        json.dumps(prop.value),
        int(prop.deleted),
        prop.created_at_ms,
        prop.modified_at_ms,
    )
    return _property(rows[0])


async def upsert_grants(tx: Transaction, account_id: AccountId, grants: Mapping[str, Any]) -> None:
    await tx.execute_many(
        "INSERT INTO feature_grants (account_id, name, value) VALUES ($1, $2, $3) "
        "ON CONFLICT (account_id, name) DO UPDATE SET value = excluded.value",
        [(account_id, name, str(value)) for name, value in grants.items()],
    )


async def delete_grants(tx: Transaction, account_id: AccountId) -> None:
    await tx.execute("DELETE FROM feature_grants WHERE account_id = $1", account_id)


async def upsert_campaign(
    tx: Transaction, account_id: AccountId, campaign_id: str, engagement_id: str, skill_id: SkillId
) -> None:
    await tx.execute(
        "INSERT INTO campaigns (account_id, campaign_id, engagement_id, skill_id) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (account_id, campaign_id, engagement_id) DO UPDATE SET skill_id = excluded.skill_id",
        account_id,
        campaign_id,
        engagement_id,
        skill_id,
    )
