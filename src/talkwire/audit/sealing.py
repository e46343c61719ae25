"""What is personal in the trail: names for consumers, and boxes locked under their keys."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from talkwire.audit import store
from talkwire.audit.model import Opened
from talkwire.backends.database.port import Database, Row, Transaction
from talkwire.kernel.ids import new_short_id

CODE_PURPOSE = "audit head"
BOXES_KEPT = 20_000
BOX_LIFE_MS = 60_000
"""A box is used again for the same consumer and address for a minute: two records with the same box tell
that they are of one person and one place, which the person's name tells as well until it is forgotten."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Opened).decode


class Sealer(Protocol):
    """What the trail asks of the vault."""

    async def seal(self, account_id: str, purpose: str, plain: bytes) -> bytes: ...
    async def unseal(self, account_id: str, purpose: str, sealed: bytes) -> bytes: ...

    async def seal_for(self, account_id: str, consumer_id: str, plain: bytes) -> bytes:
        """Lock under the consumer's key, which is made when there is none."""
        ...

    async def seal_if_known(self, account_id: str, consumer_id: str, plain: bytes) -> bytes | None:
        """As `seal_for`; None when there is no key: none is made."""
        ...

    async def unseal_for(self, account_id: str, consumer_id: str, sealed: bytes) -> bytes | None:
        """None once that key is destroyed."""
        ...

    def key_id_of(self, sealed: bytes) -> str:
        """The name of the key under which a value was sealed."""
        ...


IsErased = Callable[[Callable[..., Awaitable[Sequence[Row]]], str, str], Awaitable[bool]]
"""`is_erased(read, account_id, consumer_id)`: asked before a name or a key is made for somebody."""


async def nobody_is_erased(_read: Any, _account_id: str, _consumer_id: str) -> bool:
    """Where nobody is ever forgotten."""
    return False


class Boxes:
    """Locks what is personal in entries, and opens it again while the consumer's key exists."""

    def __init__(self, database: Database, sealer: Sealer, is_erased: IsErased = nobody_is_erased) -> None:
        self._database = database
        self._sealer = sealer
        self._is_erased = is_erased
        self._persons: dict[tuple[str, str], tuple[str, str]] = {}  # with the key that they had then
        self._boxes: dict[tuple[str, str, str, str], tuple[int, bytes]] = {}
        self._consumers: dict[tuple[str, str], str | None] = {}

    async def lock(
        self, account_id: str, consumer_id: str, actor: str, address: str, now_ms: int
    ) -> tuple[str, bytes]:
        """The consumer's name in the trail, and a box that holds the rest.

        Both are empty for somebody who was erased: nobody is given a name or a key again by what is recorded.
        """
        person, key_id = self._persons.get((account_id, consumer_id), (None, ""))
        key = (account_id, consumer_id, actor, address)
        held = self._boxes.get(key)
        is_fresh = held is not None and now_ms - held[0] < BOX_LIFE_MS
        if person and held is not None and is_fresh and self._sealer.key_id_of(held[1]) == key_id:
            return person, held[1]
        plain = _encode(Opened(consumer_id, actor, address))
        box = await self._sealer.seal_if_known(account_id, consumer_id, plain)
        if box is None:  # somebody new, or erased, perhaps by another node
            if await self._is_erased(self._database.read, account_id, consumer_id):
                return "", b""
            person = None
        elif self._sealer.key_id_of(box) != key_id:  # or erased by another node, and back again
            person = None
        person = person or await self._name(account_id, consumer_id)
        if person is None:
            return "", b""
        box = box or await self._sealer.seal_for(account_id, consumer_id, plain)
        if len(self._persons) >= BOXES_KEPT:
            self._persons.clear()
        self._persons[account_id, consumer_id] = person, self._sealer.key_id_of(box)
        if len(self._boxes) >= BOXES_KEPT:
            self._boxes.clear()
        self._boxes[key] = now_ms, box
        return person, box

    async def open(self, account_id: str, person: str, box: bytes) -> Opened | None:
        """None once the consumer is erased."""
        key = account_id, person
        if key not in self._consumers:
            if len(self._consumers) >= BOXES_KEPT:
                self._consumers.clear()
            self._consumers[key] = await store.find_consumer(self._database, account_id, person)
        consumer_id = self._consumers[key]
        if consumer_id is None:
            return None
        plain = await self._sealer.unseal_for(account_id, consumer_id, box)
        return None if plain is None else _decode(plain)

    async def forget(self, tx: Transaction, account_id: str, consumer_id: str) -> None:
        """Nobody can tell any more whose records they were; in the unit that erases the consumer."""
        await store.delete_person(tx, account_id, consumer_id)
        self.drop(account_id, consumer_id)

    def drop(self, account_id: str, consumer_id: str) -> None:
        """Let go of what memory holds of a consumer."""
        self._persons.pop((account_id, consumer_id), None)
        for key in [key for key in self._boxes if key[:2] == (account_id, consumer_id)]:
            del self._boxes[key]
        self._consumers.clear()

    async def _name(self, account_id: str, consumer_id: str) -> str | None:
        """The consumer's name, given now when there is none; None for somebody who was erased."""
        person = await store.find_person(self._database, account_id, consumer_id)
        if person is None:

            async def unit(tx: Transaction) -> str | None:
                if await self._is_erased(tx.fetch, account_id, consumer_id):  # perhaps meanwhile
                    return None
                return await store.insert_person(tx, account_id, consumer_id, new_short_id())

            person = await self._database.write(unit)
        return person
