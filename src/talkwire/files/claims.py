"""Which files this node has in hand: a claim on each, that ends by itself when the node dies."""

from collections.abc import Collection

from talkwire.backends.database.port import Database, Transaction
from talkwire.files import judging_store as store
from talkwire.files.model import Claim, HostedFile
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, new_token

CLAIM_MS = 20_000
"""How long a claim lasts that is not renewed."""

EVERY_CLAIM_MS = 2**62
"""No claim lasts as long."""


class Claims:
    """Made, renewed and won in the database, in this node's name."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._node = new_token()[:32]

    def new(self) -> Claim:
        """To be entered with a file."""
        return Claim(self._node, self._clock.now_ms() + CLAIM_MS)

    async def win(
        self, besides: Collection[tuple[AccountId, str]], limit: int, ended_by_ms: int | None = None
    ) -> list[HostedFile]:
        """Unjudged files whose claims have ended, now or by another moment, `besides` those; they are this node's then.

        Raises Unavailable.
        """
        now_ms = self._clock.now_ms()
        ended_by_ms = now_ms if ended_by_ms is None else ended_by_ms
        found = await store.list_unjudged(self._database, ended_by_ms, limit)
        left = [file for file in found if file.name not in besides]
        if not left:
            return []

        async def unit(tx: Transaction) -> list[HostedFile]:
            return await store.claim(tx, left, self._node, ended_by_ms, now_ms + CLAIM_MS)

        return await self._database.write(unit)

    async def renew(self, names: Collection[tuple[AccountId, str]]) -> None:
        """Keep these, if they are this node's. Raises Unavailable."""
        until_ms, kept = self._clock.now_ms() + CLAIM_MS, list(names)

        async def unit(tx: Transaction) -> None:
            await store.renew_claims(tx, self._node, kept, until_ms)

        await self._database.write(unit)
