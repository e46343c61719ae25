"""Does the list of persons still say whose records they are? It is in no chain, for erasing takes rows out of it.

It need not be: a box names the key that locked it, and is hashed. While that key lives, the key store, out of reach of
whoever has the data alone, says whose it is, and the list has to say the same. Erasing destroys the key before it
takes the row away: a person who is not in the list, and whose key lives, was not erased.
"""

from collections.abc import Sequence
from typing import Protocol

from talkwire.audit import store
from talkwire.audit.model import Record
from talkwire.audit.store import Reader

PAGE = 2_000


class Owners(Protocol):
    """What this asks of the vault."""

    def key_id_of(self, sealed: bytes) -> str: ...

    async def list_owners(self, account_id: str, key_ids: Sequence[str]) -> dict[str, str]:
        """Consumers by their keys, of those of these keys that are not destroyed."""
        ...


class Persons:
    """Remembers under which key each person's records are locked, and then asks whose keys they are."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._seen: dict[tuple[str, str], int] = {}  # person and key, with the first record of them

    def step(self, record: Record) -> None:
        person, box = record.draft.person, record.draft.box
        if person:
            self._seen.setdefault((person, self._owners.key_id_of(box)), record.number)

    async def list_wrong(self, database: Reader, account_id: str) -> list[tuple[int, str]]:
        """First records of persons of whom the list says something else than their keys, with what is wrong.

        The list is read before the keys: who is erased meanwhile has no key by then, whatever the list said.
        """
        listed = await self._listed(database, account_id)
        owners = await self._owners.list_owners(account_id, [key_id for _, key_id in self._seen])
        wrong = []
        for (person, key_id), number in self._seen.items():
            owner, consumers = owners.get(key_id), listed.get(person, [])
            if owner is not None and consumers != [owner]:
                wrong.append((number, _said(consumers)))
        return wrong

    async def _listed(self, database: Reader, account_id: str) -> dict[str, list[str]]:
        persons = {person for person, _ in self._seen}
        listed: dict[str, list[str]] = {}
        after = ""
        while rows := await store.list_persons(database, account_id, after, PAGE):
            for consumer_id, person in rows:
                if person in persons:
                    listed.setdefault(person, []).append(consumer_id)
            after = rows[-1][0]
        return listed


def _said(consumers: Sequence[str]) -> str:
    if consumers:
        return "and others name a person whom the list of persons takes for somebody else"
    return "and others name a person who is not in the list of persons, and was not erased"
