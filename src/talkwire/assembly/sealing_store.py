"""Secrets that earlier versions kept in the clear are sealed before a node opens; sealed ones stay as they are."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import structlog

from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.files.temp_urls import PURPOSE as TEMP_URLS
from talkwire.identity.api_keys import PURPOSE as API_KEYS
from talkwire.identity.keys import PURPOSE as SIGNING
from talkwire.kernel.errors import Unavailable
from talkwire.vault.sealed_texts import MARK, SealedTexts, Sealer

log = structlog.get_logger()


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
    """How many there were and are sealed now. Raises Unavailable.

    Those of an account whose keys are damaged stay as they are, in use, until the first start at which they can be.
    """
    lacking = set[str]()
    return sum([await _seal(database, sealer, column, lacking) for column in _COLUMNS])


async def _seal(database: Database, sealer: Sealer, at: _Column, lacking: set[str]) -> int:
    """`lacking`: accounts that have no use of their keys; those it finds are added."""
    rows = await database.read(
        f"SELECT account_id, {at.name} AS name, {at.column} AS text FROM {at.table}"
        f" WHERE {at.column} NOT LIKE '{MARK}%' ORDER BY account_id"
    )
    texts, sealed = SealedTexts(sealer, at.purpose), 0
    for account_id, group in groupby(rows, key=itemgetter("account_id")):
        if account_id in lacking:
            continue
        own = list(group)
        try:
            await _replace(database, at, own, texts)
        except Unavailable:
            raise
        except Exception:  # altered or foreign rows: that account's alone
            lacking.add(account_id)
            log.exception("secrets lie open in the database: keys cannot be opened", account_id=account_id)
        else:
            sealed += len(own)
    return sealed


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
