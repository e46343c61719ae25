"""What an operator does with webhooks: see how endpoints fare, and what was given up; replay it or drop it."""

from datetime import timedelta

from talkwire.backends.database.port import Database, Transaction
from talkwire.connectors import dead_letters_store as store
from talkwire.connectors import deliveries_store
from talkwire.connectors.delivery_model import EndpointReport, Retry, StoredLetter
from talkwire.connectors.errors import DeadLetterNotFound, EndpointGone
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId
from talkwire.kernel.jobs import Job

MAX_LISTED = 1_000
FOREVER_MS = 1 << 62


class Deliveries:
    """Works on the database alone: the node that serves an endpoint sees a replay within a second."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list_endpoints(self, account_id: AccountId) -> list[EndpointReport]:
        return await deliveries_store.reports(self._database, account_id)

    async def list_dead(
        self, account_id: AccountId, client_id: str = "", limit: int = 100, before_ms: int = FOREVER_MS
    ) -> list[StoredLetter]:
        """The newest first, of one app or of all."""
        return await store.list_dead(self._database, account_id, client_id, min(limit, MAX_LISTED), before_ms)

    async def get_dead(self, account_id: AccountId, delivery_id: str) -> list[StoredLetter]:
        """One for each endpoint that did not get it. Raises DeadLetterNotFound."""
        found = await store.find_dead(self._database, account_id, delivery_id)
        if not found:
            raise DeadLetterNotFound
        return found

    async def replay(self, account_id: AccountId, delivery_id: str) -> list[StoredLetter]:
        """Deliver again, out of order, to the endpoint's present address.

        Raises DeadLetterNotFound, EndpointGone.
        """
        letters = await self.get_dead(account_id, delivery_id)

        async def unit(tx: Transaction) -> None:
            for letter in letters:
                if not await self._try_again(tx, letter):
                    raise EndpointGone(letter.url)

        await self._database.write(unit)
        return letters

    async def replay_all(self, account_id: AccountId, client_id: str = "") -> int:
        """Deliver again what was given up until now, of one app or of all; how many.

        What its app is not told of any more stays on the list.
        """
        until_ms, after, count = self._clock.now_ms(), ("", ""), 0
        while letters := await store.page_dead(
            self._database, account_id, client_id, until_ms, after, MAX_LISTED
        ):

            async def unit(tx: Transaction, letters: list[StoredLetter] = letters) -> int:
                return sum([await self._try_again(tx, letter) for letter in letters])

            count += await self._database.write(unit)
            after = letters[-1].endpoint_id, letters[-1].delivery.delivery_id
        return count

    async def _try_again(self, tx: Transaction, letter: StoredLetter) -> bool:
        if not await store.is_told(tx, letter):
            return False
        key = letter.account_id, letter.endpoint_id
        await deliveries_store.put_retries(
            tx, *key, [Retry(letter.delivery, 0, self._clock.now_ms(), "replayed")]
        )
        await store.remove_dead(tx, *key, letter.delivery.delivery_id)
        return True

    async def drop(self, account_id: AccountId, delivery_id: str) -> list[StoredLetter]:
        """Take it off the list for good. Raises DeadLetterNotFound."""
        letters = await self.get_dead(account_id, delivery_id)

        async def unit(tx: Transaction) -> None:
            for letter in letters:
                await store.remove_dead(tx, account_id, letter.endpoint_id, delivery_id)

        await self._database.write(unit)
        return letters


def jobs(database: Database, clock: Clock, dead_letter_days: int) -> list[Job]:
    """Dead letters do not stay for ever."""

    async def purge_dead_letters() -> None:
        before_ms = clock.now_ms() - int(timedelta(days=dead_letter_days).total_seconds() * 1000)

        async def unit(tx: Transaction) -> None:
            await store.purge_dead(tx, before_ms)

        await database.write(unit)

    return [Job(name="webhooks.purge_dead_letters", run=purge_dead_letters, every=timedelta(hours=1))]
