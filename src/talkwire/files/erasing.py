"""Taking files away for good: keys first, then objects, previews and rows; the events that showed them say so."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.filestore.port import FileStore, ObjectMissing
from talkwire.files import erasing_store as store
from talkwire.files.marking import BY_THEMSELVES, marked_event
from talkwire.files.memory import InMemory
from talkwire.files.model import HostedFile
from talkwire.files.rules import consumer_of
from talkwire.kernel.ids import AccountId
from talkwire.vault.service import Vault

AT_ONCE = 100
"""Files of one commit; shredding is dear, so the more the better, and nobody may wait for long."""


class ErasedFile(NamedTuple):
    """What was of a file that is gone: for receipts."""

    relative_path: str
    key_id: str
    object_key: str
    size_bytes: int
    sha256: str
    conversation_ids: tuple[str, ...]


class NotErased(Exception):
    """Something of a file is still there after it was erased. An incident; erasing again is right."""


class Erasing:
    """Finds and erases files."""

    def __init__(
        self, database: Database, file_store: FileStore, vault: Vault, trail: Trail, memory: InMemory
    ) -> None:
        self._database = database
        self._file_store = file_store
        self._vault = vault
        self._trail = trail
        self._memory = memory

    async def list_of_conversations(
        self, account_id: AccountId, conversation_ids: Sequence[str]
    ) -> list[str]:
        """Relative paths that were published there."""
        found: dict[str, None] = {}
        for part in _parts(conversation_ids):
            for path in await store.list_of_conversations(self._database, account_id, part):
                found[path] = None
        return list(found)

    async def list_of_uploader(self, account_id: AccountId, consumer_id: str) -> list[str]:
        """Relative paths of everything that a consumer uploaded, published or not."""
        return await store.list_of_uploader(self._database, account_id, consumer_id)

    async def erase(
        self,
        account_id: AccountId,
        relative_paths: Sequence[str],
        reason: str,
        *,
        only: Sequence[str] = (),
    ) -> list[ErasedFile]:
        """Destroy these files; what is unknown is left out. Safe to run again after a crash.

        In this order: nobody is given them any more, keys destroyed, objects removed, then previews and rows,
        and their events say so. `only`: files that are in one of these states when it is done. Raises
        NotErased when something of them is still there.
        """
        erased: list[ErasedFile] = []
        for part in _parts(list(dict.fromkeys(relative_paths))):
            erased += await self._erase(account_id, part, reason, only)
        return erased

    def forget_held(self, account_id: AccountId, relative_paths: Sequence[str]) -> None:
        """Where these files were shown has changed: read them anew when they are asked for."""
        for path in relative_paths:
            self._memory.forget(account_id, path)

    async def _erase(
        self, account_id: AccountId, paths: Sequence[str], reason: str, only: Sequence[str]
    ) -> list[ErasedFile]:
        async def unit(tx: Transaction) -> None:
            await store.take_out(tx, account_id, paths, reason, only)

        await self._database.write(unit)
        for path in paths:
            self._memory.forget(account_id, path)
        files = await store.list_taken_out(self._database, account_id, paths)
        if not files:
            return []
        await self._vault.shred_file_keys(account_id, [file.key_id for file in files])
        await asyncio.gather(*(self._file_store.delete(file.object_key) for file in files if file.object_key))
        erased = await self._remove(account_id, files)
        await self._check(account_id, files)
        return erased

    async def _remove(self, account_id: AccountId, files: Sequence[HostedFile]) -> list[ErasedFile]:
        """Rows, and what their events say, in one commit."""
        record = await self._trail.seal(*(_entry(file) for file in files))

        async def unit(tx: Transaction) -> list[ErasedFile]:
            erased = [await self._remove_one(tx, file) for file in files]
            await self._trail.write(tx, record)
            return erased

        return await self._database.write(unit)

    async def _remove_one(self, tx: Transaction, file: HostedFile) -> ErasedFile:
        shown = await store.list_shown(tx, *file.name)
        for dialog_id, sequence, _ in shown:
            found = await store.find_event(tx, file.account_id, dialog_id, sequence)
            if found is not None:
                number, event = found
                marked = marked_event(event, file.reason)
                await store.replace_event(tx, file.account_id, number, sequence, marked)
        await store.delete_file(tx, file)
        return ErasedFile(
            file.relative_path,
            file.key_id,
            file.object_key,
            file.size_bytes,
            file.sha256,
            tuple(dict.fromkeys(conversation_id for _, _, conversation_id in shown)),
        )

    async def _check(self, account_id: AccountId, files: Sequence[HostedFile]) -> None:
        """Look whether it is really so."""
        if held := await self._vault.list_held(account_id, [file.key_id for file in files]):
            raise NotErased(f"{len(held)} keys can still be opened")
        if left := await store.count_left(self._database, account_id, [file.relative_path for file in files]):
            raise NotErased(f"{left} rows are still there")
        for file in files:
            if not file.object_key:
                continue
            try:
                await self._file_store.size(file.object_key)
            except ObjectMissing:
                continue
            raise NotErased(f"object {file.object_key} is still there")


def _entry(file: HostedFile) -> Entry:
    """What expired is recorded as any other act; of what was erased, nothing is said of whose it was."""
    detail: dict[str, Scalar] = {"reason": file.reason, "bytes": file.size_bytes, "sha256": file.sha256}
    if file.reason in BY_THEMSELVES:
        consumer_id = consumer_of(file.uploader, file.uploader_id)
        return Entry(file.account_id, Act.EXPIRED, file.relative_path, consumer_id, detail=detail)
    return Entry(file.account_id, Act.ERASED, f"file {file.key_id}", detail=detail)


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]
