"""Wraps that wait together are written together: one commit for many uploads."""

import asyncio
from collections import deque

from talkwire.backends.database.port import Transaction
from talkwire.backends.keystore.port import KeyStore
from talkwire.vault import store as sql
from talkwire.vault.model import Wrapped

MOST_PER_COMMIT = 500


class _Waiting:
    __slots__ = ("error", "kept", "wrap")

    def __init__(self, wrap: Wrapped) -> None:
        self.wrap = wrap
        self.kept: bool | None = None
        self.error: Exception | None = None

    @property
    def settled(self) -> bool:
        return self.kept is not None or self.error is not None


class GroupedWraps:
    """Puts new wraps into the key store. Whoever's turn it is writes for all that wait, and no task is needed."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._waiting: deque[_Waiting] = deque()
        self._turn = asyncio.Lock()

    async def put(self, wrap: Wrapped) -> bool:
        """Write a wrap; False when its holder's key was destroyed meanwhile. Durable when it returns."""
        mine = _Waiting(wrap)
        self._waiting.append(mine)
        async with self._turn:
            while not mine.settled:
                await self._write()
        if mine.error is not None:
            raise mine.error
        return bool(mine.kept)

    async def _write(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_PER_COMMIT))]

        async def unit(tx: Transaction) -> set[tuple[str, str]]:
            return await sql.insert_wraps(tx, [one.wrap for one in batch])

        try:
            holders = await self._store.write(unit)
        except Exception as error:  # noqa: BLE001 -- it is raised to each of them
            for one in batch:
                one.error = error
        except BaseException:  # whoever wrote was cancelled: the others write again, and twice is once
            self._waiting.extendleft(reversed(batch))
            raise
        else:
            for one in batch:
                one.kept = (one.wrap.account_id, one.wrap.holder_key_id) in holders
