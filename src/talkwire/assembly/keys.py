"""The key store, the vault and the audit trail, put together: everything personal rests on them."""

import contextlib
from dataclasses import dataclass

from talkwire.audit.anchors import Anchors
from talkwire.audit.model import Act, Entry
from talkwire.audit.origin import ACTOR
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Database
from talkwire.backends.keystore.port import KeyStore
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.settings import Settings
from talkwire.vault.masters import MasterFile, Masters, MasterSecrets, make_private
from talkwire.vault.requests import AskedRotations, Told
from talkwire.vault.service import Vault


@dataclass(frozen=True)
class KeyRooms:
    key_store: KeyStore
    vault: Vault
    trail: Trail
    anchors: Anchors
    rotations: AskedRotations

    async def close(self) -> None:
        await self.trail.close()
        with contextlib.suppress(Unavailable):  # the next start anchors what this one could not
            await self.anchors.keep()
        await self.key_store.close()


async def open_key_store(settings: Settings) -> KeyStore:
    """The key store that the settings name, not migrated. Raises MasterKeyWrong, DatabaseInUse, Unavailable."""
    if settings.storage.keys_url:
        from talkwire.backends.keystore.postgres import PostgresKeyStore  # noqa: PLC0415 -- only where it is used

        return await PostgresKeyStore.open(settings.storage.keys_url)
    from talkwire.backends.keystore.sqlite import SqliteKeyStore  # noqa: PLC0415

    folder = settings.storage.keys_path
    make_private(folder)
    return await SqliteKeyStore.open(folder)


def recorder(trail: Trail) -> Told:
    """Records rotations in the audit trail."""

    async def told(account_id: str, what: str) -> None:
        await trail.record(Entry(account_id, Act.KEY_ROTATED, what, actor=ACTOR.get() or "operator"))

    return told


def masters_of(settings: Settings) -> Masters:
    """The master keys that the settings name. Raises MasterKeyWrong."""
    storage = settings.storage
    if storage.master_key:
        return MasterSecrets(storage.master_key, storage.master_key_former)
    return MasterFile(storage.keys_path)


async def open_keys(settings: Settings, database: Database, clock: Clock) -> KeyRooms:
    """Raises MasterKeyWrong, SchemaTooNew, DatabaseInUse, Unavailable."""
    key_store = await open_key_store(settings)
    try:
        await key_store.migrate()
        vault = await Vault.open(key_store, masters_of(settings), clock)
        trail = Trail(database, clock, vault)
        rotations = AskedRotations(vault, settings.storage.keys_path, recorder(trail))
        return KeyRooms(key_store, vault, trail, Anchors(database, key_store, clock), rotations)
    except BaseException:
        await key_store.close()
        raise
