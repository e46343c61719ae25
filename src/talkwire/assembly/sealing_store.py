"""Secrets that earlier versions kept in the clear are sealed before a node opens; sealed ones stay as they are."""

from collections.abc import Sequence
from typing import NamedTuple

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.files.temp_urls import PURPOSE as TEMP_URLS
from talkwire.identity.api_keys import PURPOSE as API_KEYS
from talkwire.identity.keys import PURPOSE as SIGNING
from talkwire.vault.sealed_texts import MARK, SealedTexts, Sealer


class _Column(NamedTuple):
    table: str
    column: str
    name: str  # the column that tells an account's rows apart
    purpose: str


_COLUMNS = (
    _Column("temp_url_keys", "secret", "number", TEMP_URLS),
    _Column("signing_keys", "private_pem", "key_id", SIGNING),
    _Column("api_keys", "secret", "app_key", API_KEYS),
    _Column("api_keys", "access_token", "app_key", API_KEYS),
    _Column("api_keys", "access_token_secret", "app_key", API_KEYS),
)


async def seal_what_lies_open(database: Database, sealer: Sealer) -> int:
    """How many there were."""
    return sum([await _seal(database, sealer, column) for column in _COLUMNS])


async def _seal(database: Database, sealer: Sealer, at: _Column) -> int:
    rows = await database.read(
        f"SELECT account_id, {at.name} AS name, {at.column} AS text FROM {at.table}"
        f" WHERE {at.column} NOT LIKE '{MARK}%'"
    )
    if rows:
        await _replace(database, at, rows, SealedTexts(sealer, at.purpose))
    return len(rows)


async def _replace(database: Database, at: _Column, rows: Sequence[Row], texts: SealedTexts) -> None:
    sealed = [
        (row["account_id"], row["name"], row["text"], await texts.seal(row["account_id"], row["text"]))
        for row in rows
    ]

    async def unit(tx: Transaction) -> None:
        await tx.execute_many(
            f"UPDATE {at.table} SET {at.column} = $4"
            f" WHERE account_id = $1 AND {at.name} = $2 AND {at.column} = $3",
            sealed,
        )

    await database.write(unit)
