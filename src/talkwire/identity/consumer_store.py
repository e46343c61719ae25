"""The SQL of consumers: their profiles, our signing keys, the brand's keys."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.kernel.ids import AccountId, ParticipantId


class StoredKey(msgspec.Struct, frozen=True):
    """A signing key of ours."""

    account_id: AccountId
    key_id: str
    sealed_pem: str
    created_at_ms: int
    retired_at_ms: int | None


class BrandKey(msgspec.Struct, frozen=True):
    """A key of the brand's own identity service: what it signs, we believe about its customers."""

    account_id: AccountId
    key_id: str
    issuer: str  # what `iss` must be; empty: not compared
    public_pem: str
    created_at_ms: int


class ConsumerRecord(msgspec.Struct, frozen=True):
    """What is kept of a consumer: what it said of itself, and what the brand's token said."""

    profile: dict[str, Any]
    claims: dict[str, Any]


async def insert_key(tx: Transaction, key: StoredKey) -> None:
    await tx.execute(
        "INSERT INTO signing_keys (account_id, key_id, private_pem, created_at, retired_at) "
        "VALUES ($1, $2, $3, $4, $5)",
        key.account_id,
        key.key_id,
        key.sealed_pem,
        key.created_at_ms,
        key.retired_at_ms,
    )


async def retire_keys(tx: Transaction, account_id: AccountId, at_ms: int) -> None:
    await tx.execute(
        "UPDATE signing_keys SET retired_at = $2 WHERE account_id = $1 AND retired_at IS NULL",
        account_id,
        at_ms,
    )


async def delete_old_keys(tx: Transaction, account_id: AccountId, retired_before_ms: int) -> None:
    await tx.execute(
        "DELETE FROM signing_keys WHERE account_id = $1 AND retired_at < $2", account_id, retired_before_ms
    )


async def list_keys(database: Database, account_id: AccountId) -> list[StoredKey]:
    """Newest first."""
    rows = await database.read(
        "SELECT * FROM signing_keys WHERE account_id = $1 ORDER BY created_at DESC, key_id", account_id
    )
    return [
        StoredKey(account_id, row["key_id"], row["private_pem"], row["created_at"], row["retired_at"])
        for row in rows
    ]


async def upsert_brand_key(tx: Transaction, key: BrandKey) -> None:
    await tx.execute(
        "INSERT INTO brand_keys (account_id, key_id, issuer, public_pem, created_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id, key_id) DO UPDATE SET "
        "issuer = excluded.issuer, public_pem = excluded.public_pem",
        key.account_id,
        key.key_id,
        key.issuer,
        key.public_pem,
        key.created_at_ms,
    )


async def delete_brand_key(tx: Transaction, account_id: AccountId, key_id: str) -> bool:
    deleted = await tx.execute(
        "DELETE FROM brand_keys WHERE account_id = $1 AND key_id = $2", account_id, key_id
    )
    return deleted == 1


async def list_brand_keys(database: Database, account_id: AccountId) -> list[BrandKey]:
    rows = await database.read("SELECT * FROM brand_keys WHERE account_id = $1 ORDER BY key_id", account_id)
    return [
        BrandKey(account_id, row["key_id"], row["issuer"], row["public_pem"], row["created_at"])
        for row in rows
    ]


def _record(rows: list[Row] | Any) -> ConsumerRecord | None:
    return ConsumerRecord(json.loads(rows[0]["profile"]), json.loads(rows[0]["claims"])) if rows else None


async def find_consumer(
    database: Database, account_id: AccountId, consumer_id: ParticipantId
) -> ConsumerRecord | None:
    return _record(
        await database.read(
            "SELECT profile, claims FROM consumers WHERE account_id = $1 AND consumer_id = $2",
            account_id,
            consumer_id,
        )
    )


async def find_consumers(
    database: Database, account_id: AccountId, consumer_ids: Sequence[ParticipantId]
) -> dict[ParticipantId, ConsumerRecord]:
    """Those of the ids that are known."""
    if not consumer_ids:
        return {}
    marks = ", ".join(f"${number}" for number in range(2, len(consumer_ids) + 2))
    rows = await database.read(
        "SELECT consumer_id, profile, claims FROM consumers "
        f"WHERE account_id = $1 AND consumer_id IN ({marks})",
        account_id,
        *consumer_ids,
    )
    return {
        ParticipantId(row["consumer_id"]): ConsumerRecord(
            json.loads(row["profile"]), json.loads(row["claims"])
        )
        for row in rows
    }


async def read_consumer(
    tx: Transaction, account_id: AccountId, consumer_id: ParticipantId
) -> ConsumerRecord | None:
    return _record(
        await tx.fetch(
            "SELECT profile, claims FROM consumers WHERE account_id = $1 AND consumer_id = $2",
            account_id,
            consumer_id,
        )
    )


async def upsert_profile(
    tx: Transaction, account_id: AccountId, consumer_id: ParticipantId, profile: str, at_ms: int
) -> None:
    await tx.execute(
        "INSERT INTO consumers (account_id, consumer_id, profile, claims, updated_at) "
        "VALUES ($1, $2, $3, '{}', $4) ON CONFLICT (account_id, consumer_id) DO UPDATE SET "
        "profile = excluded.profile, updated_at = excluded.updated_at",
        account_id,
        consumer_id,
        profile,
        at_ms,
    )


async def upsert_claims(
    tx: Transaction,
    account_id: AccountId,
    consumer_id: ParticipantId,
    claims: Mapping[str, Any],
    at_ms: int,
) -> None:
    await tx.execute(
        "INSERT INTO consumers (account_id, consumer_id, profile, claims, updated_at) "
        "VALUES ($1, $2, '{}', $3, $4) ON CONFLICT (account_id, consumer_id) DO UPDATE SET "
        "claims = excluded.claims, updated_at = excluded.updated_at",
        account_id,
        consumer_id,
        json.dumps(claims),
        at_ms,
    )
