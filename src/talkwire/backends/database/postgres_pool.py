"""Connections to PostgreSQL, and reading through them."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from talkwire.backends.database.port import Row
from talkwire.backends.database.postgres_errors import meaning_of
from talkwire.backends.database.postgres_writer import ACQUIRE_SECONDS

STATEMENT_SECONDS = 30.0


async def open_pool(url: str, connections: int) -> Any:
    """Connect to `postgresql://…`. Raises Unavailable."""
    try:
        return await asyncpg.create_pool(
            url,
            min_size=2,
            max_size=connections,
            timeout=ACQUIRE_SECONDS,
            command_timeout=STATEMENT_SECONDS,
        )
    except Exception as error:
        raise meaning_of(error) from error


async def read(pool: Any, sql: str, args: tuple[object, ...]) -> Sequence[Row]:
    """Raises Unavailable."""
    try:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            rows: Sequence[Row] = await connection.fetch(sql, *args)
    except Exception as error:
        raise meaning_of(error) from error
    return rows
