"""Reading back what was erased: whatever is still there, by name."""

from collections.abc import Sequence
from typing import Protocol

from talkwire.backends.database.port import Database
from talkwire.history import erasing_store as store
from talkwire.history.erasure_model import Item, ItemKind
from talkwire.history.erasure_rules import is_masked, masked_record
from talkwire.kernel.errors import NotFound
from talkwire.kernel.ids import AccountId


class FileKeys(Protocol):
    """What this asks of the vault: raises NotFound for a key that nobody can open any more."""

    async def file_key(self, account_id: str, key_id: str) -> bytes: ...


class ErasureCheck:
    """Looks at the rows themselves, never at memory."""

    def __init__(self, database: Database, keys: FileKeys) -> None:
        self._database = database
        self._keys = keys

    async def left_of(self, account_id: AccountId, items: Sequence[Item]) -> list[str]:
        """What is left of these items; empty when nothing is."""
        of = {kind: [item for item in items if item.kind is kind] for kind in ItemKind}
        left: list[str] = []
        for part in store.slices([item.ref for item in of[ItemKind.FILE]]):
            left += [f"file {path}" for path in await store.remaining_files(self._database, account_id, part)]
        for item in of[ItemKind.FILE]:
            key_id = item.detail.get("keyId", "")
            if key_id and await self._opens(account_id, key_id):
                left.append(f"key {key_id}")
        for item in of[ItemKind.CONVERSATION]:
            left += await self._left_of_conversation(account_id, item.ref)
        for item in of[ItemKind.CONSUMER]:
            if await store.knows_consumer(self._database, account_id, item.ref):
                left.append(f"profile of {item.ref}")
        return left

    async def list_back(self, account_id: AccountId, items: Sequence[Item]) -> list[Item]:
        """Which of these, erased before, have something again: a note on a closed conversation, a profile.

        Files have not: nobody is given a path or a key twice.
        """
        return [item for item in items if await self._is_back(account_id, item)]

    async def _is_back(self, account_id: AccountId, item: Item) -> bool:
        if item.kind is ItemKind.CONVERSATION:
            return bool(await self._left_of_conversation(account_id, item.ref))
        if item.kind is ItemKind.CONSUMER:
            known = await store.knows_consumer(self._database, account_id, item.ref)
            return known or await store.is_in_trail(self._database, account_id, item.ref)
        return False

    async def _opens(self, account_id: AccountId, key_id: str) -> bool:
        try:
            await self._keys.file_key(account_id, key_id)
        except NotFound:
            return False
        return True

    async def _left_of_conversation(self, account_id: AccountId, conversation_id: str) -> list[str]:
        left = []
        async for rows in store.events_of(self._database, account_id, conversation_id):
            left += [
                f"event {row['event_id']}"
                for row in rows
                if not is_masked(bytes(row["event"]))
                or row["metadata"] is not None
                or row["client_properties"] is not None
            ]
        for record in await store.conversations_by_id(self._database, account_id, [conversation_id]):
            if masked_record(record) != record:
                left.append(f"record of {conversation_id}")
        if await store.publications_in(self._database, account_id, conversation_id):
            left.append(f"publications in {conversation_id}")
        return left
