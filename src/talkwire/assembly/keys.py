"""The key store, the vault and the audit trail, put together: everything personal rests on them."""

import contextlib
from dataclasses import dataclass

from talkwire.audit.anchors import Anchors
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Database
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.settings import Settings
from talkwire.vault.masters import MasterFile
from talkwire.vault.service import Vault


@dataclass(frozen=True)
class KeyRooms:
    key_store: KeyStore
    vault: Vault
    trail: Trail
    anchors: Anchors

    async def close(self) -> None:
        await self.trail.close()
        with contextlib.suppress(Unavailable):  # the next start anchors what this one could not
            await self.anchors.keep()
        await self.key_store.close()


async def open_key_store(settings: Settings) -> KeyStore:
    """The key store that the settings name, not migrated."""
    from talkwire.backends.keystore.sqlite import SqliteKeyStore  # noqa: PLC0415 -- only where it is used

    folder = settings.storage.keys_path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return await SqliteKeyStore.open(folder)


async def open_keys(settings: Settings, database: Database, clock: Clock) -> KeyRooms:
    """Raises MasterKeyWrong, SchemaTooNew, DatabaseInUse, Unavailable."""
    key_store = await open_key_store(settings)
    try:
        await key_store.migrate()
        vault = await Vault.open(key_store, MasterFile(settings.storage.keys_path), clock)
        return KeyRooms(key_store, vault, Trail(database, clock, vault), Anchors(database, key_store, clock))
    except BaseException:
        await key_store.close()
        raise
