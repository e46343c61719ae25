"""Puts the progress of all couriers on disk, many at once.

What is not on disk yet when the node dies is delivered again, under the same id.
"""

import asyncio

from talkwire.backends.database.port import Database, Transaction
from talkwire.connectors import dead_letters_store
from talkwire.connectors import deliveries_store as store
from talkwire.connectors.delivery_model import Cursor, DeadLetter, Endpoint, Health, Retry
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.tasks import Tasks

FLUSH_SECONDS = 0.1
PAUSE_SECONDS = 1.0
MAX_WAITING = 5_000
"""Notes in memory; beyond, couriers wait for the disk."""


class Progress:
    """What changed for one endpoint since it was last written."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.cursors: dict[str, Cursor] = {}
        self.retries: dict[str, Retry | None] = {}  # None: done with
        self.dead: dict[str, DeadLetter] = {}
        self.health: Health | None = None
        self.looked_until_ms: int | None = None

    def __len__(self) -> int:
        return len(self.cursors) + len(self.retries) + len(self.dead)

    def put_under(self, newer: "Progress") -> None:
        """This could not be written: the newer one takes it along."""
        newer.cursors = self.cursors | newer.cursors
        newer.retries = self.retries | newer.retries
        newer.dead = self.dead | newer.dead
        newer.health = newer.health or self.health
        newer.looked_until_ms = newer.looked_until_ms or self.looked_until_ms


class Keeper:
    """One for the node. Retries and dead letters are written in the unit that moves the cursor past them."""

    def __init__(self, database: Database, tasks: Tasks) -> None:
        self._database = database
        self._tasks = tasks
        self._pending: dict[str, Progress] = {}
        self._writing: dict[str, Progress] = {}
        self._flushing = asyncio.Lock()
        self._is_due = False

    def progress(self, endpoint: Endpoint) -> Progress:
        """Where to note; it is written soon."""
        found = self._pending.get(endpoint.endpoint_id)
        if found is None:
            found = self._pending[endpoint.endpoint_id] = Progress(endpoint)
        if not self._is_due:
            self._is_due = True
            self._tasks.start(self._flush_soon(), "webhooks: keep")
        return found

    def holds(self, endpoint_id: str, conversation_id: str) -> bool:
        """Whether a cursor waits to be written."""
        return any(
            endpoint_id in group and conversation_id in group[endpoint_id].cursors
            for group in (self._pending, self._writing)
        )

    async def room(self) -> None:
        """Wait while too much waits to be written."""
        if sum(map(len, self._pending.values())) > MAX_WAITING:
            await self.flush()

    async def flush(self) -> None:
        """What was noted so far is on disk when this returns. Raises Unavailable."""
        async with self._flushing:
            taken, self._pending = self._pending, {}
            self._writing = taken
            if not taken:
                return

            async def unit(tx: Transaction) -> None:
                for progress in taken.values():
                    await _write(tx, progress)

            try:
                await self._database.write(unit)
            except BaseException:
                for endpoint_id, progress in taken.items():
                    progress.put_under(self._pending.setdefault(endpoint_id, Progress(progress.endpoint)))
                raise
            finally:
                self._writing = {}

    def forget(self, endpoint_id: str) -> None:
        """The endpoint is gone."""
        self._pending.pop(endpoint_id, None)

    async def _flush_soon(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        while True:
            self._is_due = False
            try:
                await self.flush()
            except Unavailable:
                self._is_due = True
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return


async def _write(tx: Transaction, progress: Progress) -> None:
    endpoint = progress.endpoint
    key = (endpoint.account_id, endpoint.endpoint_id)
    if progress.retries:
        kept = [retry for retry in progress.retries.values() if retry is not None]
        if kept:
            await store.put_retries(tx, *key, kept)
        done = [delivery_id for delivery_id, retry in progress.retries.items() if retry is None]
        if done:
            await store.remove_retries(tx, *key, done)
    if progress.dead:
        await dead_letters_store.put_dead(tx, endpoint, progress.dead.values())
    if progress.cursors:
        cursors = sorted(progress.cursors.values(), key=lambda cursor: cursor.conversation_id)
        await store.put_cursors(tx, *key, cursors)
    if progress.health is not None:
        await store.put_health(tx, *key, progress.health)
    if progress.looked_until_ms is not None:
        await store.put_looked_until(tx, *key, progress.looked_until_ms)
