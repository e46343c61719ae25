"""The key store, the vault and the audit trail, put together: everything personal rests on them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from talkwire.assembly.foundation import Foundation
from talkwire.audit.anchors import Anchors
from talkwire.audit.service import Trail
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


@contextlib.asynccontextmanager
async def opened_vault(settings: Settings, clock: Clock) -> AsyncIterator[Vault]:
    """The vault alone, for a command at the desk. Raises MasterKeyWrong, SchemaTooNew, Unavailable."""
    key_store = await open_key_store(settings)
    try:
        await key_store.migrate()
        yield await Vault.open(key_store, MasterFile(settings.storage.keys_path), clock)
    finally:
        await key_store.close()


async def open_keys(base: Foundation) -> KeyRooms:
    """Raises MasterKeyWrong, SchemaTooNew, Unavailable."""
    key_store = await open_key_store(base.settings)
    try:
        await key_store.migrate()
        vault = await Vault.open(key_store, MasterFile(base.settings.storage.keys_path), base.clock)
        trail = Trail(base.database, base.clock, vault)
        return KeyRooms(key_store, vault, trail, Anchors(base.database, key_store, base.clock))
    except BaseException:
        await key_store.close()
        raise
