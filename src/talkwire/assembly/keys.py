"""The key store, the vault and the audit trail, put together: everything personal rests on them."""

from dataclasses import dataclass

from talkwire.assembly.foundation import Foundation
from talkwire.audit.service import Trail
from talkwire.backends.keystore.port import KeyStore
from talkwire.settings import Settings
from talkwire.vault.masters import MasterFile
from talkwire.vault.service import Vault


@dataclass(frozen=True)
class KeyRooms:
    key_store: KeyStore
    vault: Vault
    trail: Trail

    async def close(self) -> None:
        await self.trail.close()
        await self.key_store.close()


async def open_key_store(settings: Settings) -> KeyStore:
    """The key store that the settings name, not migrated."""
    from talkwire.backends.keystore.sqlite import SqliteKeyStore  # noqa: PLC0415 -- only where it is used

    folder = settings.storage.keys_path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return await SqliteKeyStore.open(folder)


async def open_keys(base: Foundation) -> KeyRooms:
    """Raises MasterKeyWrong, SchemaTooNew, Unavailable."""
    key_store = await open_key_store(base.settings)
    try:
        await key_store.migrate()
        vault = await Vault.open(key_store, MasterFile(base.settings.storage.keys_path), base.clock)
        return KeyRooms(key_store, vault, Trail(base.database, base.clock, vault))
    except BaseException:
        await key_store.close()
        raise
