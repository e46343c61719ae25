"""Erasing things: keys first, then files, then texts. Everything here may be run again after a crash."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from talkwire.backends.database.port import Database, Transaction
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import Conversation
from talkwire.conversations.service import ChangeListener, Decide
from talkwire.history import erasing_store as store
from talkwire.history.erasure_model import Item, ItemKind
from talkwire.history.erasure_rules import masked_event, masked_record
from talkwire.kernel.ids import AccountId, ConversationId

AT_ONCE = 8
"""Conversations masked side by side: they share commits."""


class ErasedFile(Protocol):
    """What files tells of a file that is gone."""

    @property
    def relative_path(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...


class FileErasing(Protocol):
    """What this asks of files."""

    async def erase(
        self, account_id: AccountId, relative_paths: Sequence[str], reason: str
    ) -> Sequence[ErasedFile]: ...
    def forget_held(self, account_id: AccountId, relative_paths: Sequence[str]) -> None: ...


class Keys(Protocol):
    """What this asks of the vault."""

    async def shred_consumer(self, account_id: str, consumer_id: str) -> list[str]: ...


class Held(Protocol):
    """Views in memory, which are dropped."""

    def forget(self, account_id: AccountId, conversation_id: ConversationId) -> None: ...


class Talks(Protocol):
    """What this asks of conversations."""

    @property
    def views(self) -> Held: ...
    async def change(
        self,
        account_id: AccountId,
        conversation_id: str,
        decide: Decide,
        then: ChangeListener | None = None,
    ) -> Conversation: ...


Forget = Callable[[Transaction, AccountId, str], Awaitable[None]]
"""Takes part in the unit that forgets a consumer: `forget(tx, account_id, consumer_id)`."""


class Erasing:
    """Erases items, and says of each what was there. `forgets`: rooms that keep something of consumers."""

    def __init__(
        self,
        database: Database,
        conversations: Talks,
        files: FileErasing,
        keys: Keys,
        forgets: Sequence[Forget] = (),
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._files = files
        self._keys = keys
        self._forgets = tuple(forgets)

    async def erase(self, account_id: AccountId, items: Sequence[Item]) -> list[Item]:
        """Do it, in the order that leaves least to a thief at any moment; gives the items with their details."""
        of = {kind: [item.ref for item in items if item.kind is kind] for kind in ItemKind}
        orphaned = await self._shred(account_id, of[ItemKind.CONSUMER])
        known = {item.ref: item.detail for item in items if item.kind is ItemKind.FILE}
        files = await self._erase_files(account_id, {**{path: {} for path in orphaned}, **known})
        conversations = await self._mask_all(account_id, of[ItemKind.CONVERSATION])
        profiles = [await self._forget(account_id, ref) for ref in of[ItemKind.CONSUMER]]
        self._files.forget_held(account_id, of[ItemKind.SHARED_FILE])
        shared = [Item(ItemKind.SHARED_FILE, ref) for ref in of[ItemKind.SHARED_FILE]]
        return [*profiles, *files, *shared, *conversations]

    async def _shred(self, account_id: AccountId, consumer_ids: Sequence[str]) -> list[str]:
        """Destroy consumers' keys; paths of the files that nobody can open any more."""
        lost: set[str] = set()
        for consumer_id in consumer_ids:
            lost |= set(await self._keys.shred_consumer(account_id, consumer_id))
        key_ids = sorted(lost)
        paths: list[str] = []
        for part in store.slices(key_ids):
            paths += await store.paths_of_keys(self._database, account_id, part)
        return paths

    async def _erase_files(self, account_id: AccountId, known: Mapping[str, dict[str, Any]]) -> list[Item]:
        """`known`: what was noted of each path; of what a former try erased, nothing else is left."""
        erased = dict(known)
        for part in store.slices(list(known)):
            for gone in await self._files.erase(account_id, part, "erasure"):
                erased[gone.relative_path] = {
                    "keyId": gone.key_id,
                    "bytes": gone.size_bytes,
                    "sha256": gone.sha256,
                }
        return [Item(ItemKind.FILE, path, detail) for path, detail in erased.items()]

    async def _mask_all(self, account_id: AccountId, conversation_ids: Sequence[str]) -> list[Item]:
        masked: list[Item] = []
        for part in store.slices(conversation_ids, AT_ONCE):
            masked += await asyncio.gather(*(self._mask(account_id, one) for one in part))
        return masked

    async def _mask(self, account_id: AccountId, conversation_id: str) -> Item:
        def drop(_: object = None) -> None:
            self._conversations.views.forget(account_id, ConversationId(conversation_id))

        async def decide(conversation: Conversation, tx: Transaction) -> Conversation:
            await store.forget_keys(tx, account_id, [conversation_id])
            masked = masked_record(conversation)
            return conversation if masked == conversation else masked

        events = await self._mask_events(account_id, conversation_id)
        try:
            await self._conversations.change(account_id, conversation_id, decide, drop)
        except ConversationNotFound:  # of a ledger that knows more than the data that was restored
            return Item(ItemKind.CONVERSATION, conversation_id, {"events": 0})
        return Item(ItemKind.CONVERSATION, conversation_id, {"events": events})

    async def _mask_events(self, account_id: AccountId, conversation_id: str) -> int:
        count = 0
        async for rows in store.events_of(self._database, account_id, conversation_id):
            masked = [(r["dialog_number"], r["sequence"], masked_event(bytes(r["event"]))) for r in rows]
            refs = [r["event_id"] for r in rows]

            async def unit(
                tx: Transaction, masked: list[tuple[int, int, bytes]] = masked, refs: list[str] = refs
            ) -> None:
                await store.mask_events(tx, account_id, masked)
                await store.forget_keys(tx, account_id, refs)

            await self._database.write(unit)
            count += len(rows)

        async def shown_nowhere(tx: Transaction) -> None:
            await store.forget_publications(tx, account_id, conversation_id)

        await self._database.write(shown_nowhere)
        return count

    async def _forget(self, account_id: AccountId, consumer_id: str) -> Item:
        async def unit(tx: Transaction) -> None:
            await store.delete_consumer(tx, account_id, consumer_id)
            for forget in self._forgets:
                await forget(tx, account_id, consumer_id)

        await self._database.write(unit)
        return Item(ItemKind.CONSUMER, consumer_id, {"keyDestroyed": True, "profileErased": True})
