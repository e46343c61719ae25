"""The scaled key store: a PostgreSQL database of its own, shared by all nodes.

A deleted row can be read by nobody from the moment of the commit. Its bytes lie in PostgreSQL's files
until it reuses the place, and in its log until that is recycled: docs/security.md says what an operator
does about it (do not archive this database's log; rotate account keys and the master key now and then).
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from talkwire.backends.database.migrations import bring_forward, list_migrations
from talkwire.backends.database.port import Row, T, Transaction, Unit
from talkwire.backends.database.postgres_errors import meaning_of
from talkwire.backends.database.postgres_writer import ACQUIRE_SECONDS, PostgresWriter
from talkwire.backends.database.queue import WriteQueue
from talkwire.kernel.clock import SystemClock

CONNECTIONS = 5
STATEMENT_SECONDS = 30.0

_MIGRATION_LOCK = 7_426_114  # any number, the same on all nodes


class PostgresKeyStore:
    """`KeyStore` over a pool of connections. Made with `open`."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._queue = WriteQueue(start=self._wake)
        self._writer = PostgresWriter(pool, self._queue)

    @classmethod
    async def open(cls, url: str, connections: int = CONNECTIONS) -> "PostgresKeyStore":
        """Connect to `postgresql://…`. Raises Unavailable."""
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=2,
                max_size=connections,
                timeout=ACQUIRE_SECONDS,
                command_timeout=STATEMENT_SECONDS,
            )
        except Exception as error:
            raise meaning_of(error) from error
        return cls(pool)

    async def write(self, unit: Unit[T]) -> T:
        return await self._queue.write(unit)

    async def shred(self, unit: Unit[T]) -> T:
        return await self._queue.write(unit)

    async def read(self, sql: str, *args: object) -> Sequence[Row]:
        try:
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                rows: Sequence[Row] = await connection.fetch(sql, *args)
        except Exception as error:
            raise meaning_of(error) from error
        return rows

    async def migrate(self) -> None:
        migrations = list_migrations({}, "talkwire.backends.keystore")

        async def unit(tx: Transaction) -> list[str]:
            await tx.fetch("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
            return await bring_forward(tx, migrations, SystemClock().now_ms())

        if await self.write(unit):
            await self._pool.expire_connections()  # they remember statements of the former schema

    async def close(self) -> None:
        await self._queue.close()
        await self._writer.stop()
        await self._pool.close()

    def _wake(self) -> None:
        self._writer.wake()
