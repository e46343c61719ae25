"""What nobody holds any more goes: objects some at a time, keys in batches, since shredding is dear.

What a crash leaves lying here is found by `sweeping`.
"""

import asyncio
from collections import defaultdict

from talkwire.backends.filestore.port import FileStore
from talkwire.files.model import HostedFile
from talkwire.kernel.ids import AccountId
from talkwire.kernel.tasks import Tasks
from talkwire.vault.model import FileKey
from talkwire.vault.service import Vault

MOST_KEYS = 500
GATHER_SECONDS = 0.1
"""How long objects are gathered: every file that is rebuilt leaves one, and each step in the store has its price."""


class Leftovers:
    """Objects and keys that no row knows."""

    def __init__(self, store: FileStore, vault: Vault, tasks: Tasks) -> None:
        self._store = store
        self._vault = vault
        self._tasks = tasks
        self._objects: list[str] = []
        self._keys: defaultdict[AccountId, list[str]] = defaultdict(list)
        self._count = 0

    def drop(self, file: HostedFile) -> None:
        """Forget a file that was not entered: object and key."""
        self.drop_object(file.object_key)
        self._drop_key(file.account_id, file.key_id)

    def drop_object(self, object_key: str) -> None:
        if object_key:
            self._objects.append(object_key)
            if len(self._objects) == 1:
                self._tasks.start(self._drop_objects(), "files: drop objects")

    def drop_key_when_made(self, account_id: AccountId, key: asyncio.Future[FileKey]) -> None:
        """The key of an upload that came to nothing, which may still be on its way to the key store."""

        def made(done: asyncio.Future[FileKey]) -> None:
            if not done.cancelled() and done.exception() is None:
                self._drop_key(account_id, done.result().key_id)

        key.add_done_callback(made)

    async def clear(self) -> None:
        """Shred the keys that wait for it."""
        keys, self._keys, self._count = self._keys, defaultdict(list), 0
        for account_id, key_ids in keys.items():
            await self._vault.shred_file_keys(account_id, list(dict.fromkeys(key_ids)))

    async def _drop_objects(self) -> None:
        """Also when it is cancelled, at the end of the node."""
        try:
            await asyncio.sleep(GATHER_SECONDS)
        finally:
            object_keys, self._objects = self._objects, []
            await self._store.drop(object_keys)

    def _drop_key(self, account_id: AccountId, key_id: str) -> None:
        self._keys[account_id].append(key_id)
        self._count += 1
        if self._count == MOST_KEYS:
            self._tasks.start(self.clear(), "files: shred keys")
