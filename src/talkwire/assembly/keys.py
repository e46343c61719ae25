"""The key store, the vault and the audit trail, put together: everything personal rests on them."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from talkwire.audit.anchors import Anchors
from talkwire.audit.model import Act, Entry
from talkwire.audit.origin import ACTOR
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Database
from talkwire.backends.keystore.port import KeyStore
from talkwire.backends.keystore.sqlite import FILE_NAME, SqliteKeyStore
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.settings import Settings
from talkwire.vault.errors import MasterKeyWrong
from talkwire.vault.masters import MasterFile, Masters, MasterSecrets, make_private
from talkwire.vault.requests import AskedRotations, Told
from talkwire.vault.service import Vault
from talkwire.vault.store import find_master_id

if TYPE_CHECKING:
    from talkwire.ops.metrics import Metrics

_LOST = (
    "{} is empty, and the data was written with keys: give the right folder (--keys), or put the keys' backup back "
    "(talkwire restore --keys-from)"
)


@dataclass(frozen=True)
class KeyRooms:
    key_store: KeyStore
    vault: Vault
    trail: Trail
    anchors: Anchors
    rotations: AskedRotations

    def watch(self, metrics: "Metrics") -> None:
        anchors = self.anchors
        metrics.watch(
            "audit_trails_lacking",
            "Audit trails that lack what was anchored of them: more than 0 is an alarm.",
            lambda: len(anchors.lacking),
        )

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
    folder = settings.storage.keys_path
    make_private(folder)
    return await SqliteKeyStore.open(folder)


async def key_store_of(settings: Settings, database: Database) -> KeyStore:
    """The migrated key store that the data was written with. Raises as `open_key_store`, and SchemaTooNew.

    A new one beside data that had another would open nothing, and know nothing of what was erased.
    """
    storage = settings.storage
    had_keys = bool(await database.read("SELECT 1 AS one FROM audit_heads LIMIT 1"))
    if had_keys and not storage.keys_url and not (storage.keys_path / FILE_NAME).exists():
        raise MasterKeyWrong(_LOST.format(storage.keys_path))
    key_store = await open_key_store(settings)
    try:
        await key_store.migrate()
        is_new = await find_master_id(key_store) is None
    except BaseException:
        await key_store.close()
        raise
    if had_keys and is_new:
        await key_store.close()
        raise MasterKeyWrong(_LOST.format("the key store"))
    return key_store


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
    key_store = await key_store_of(settings, database)
    try:
        vault = await Vault.open(key_store, masters_of(settings), clock)
        trail = Trail(database, clock, vault)
        rotations = AskedRotations(vault, settings.storage.keys_path, recorder(trail))
        return KeyRooms(key_store, vault, trail, Anchors(database, key_store, clock), rotations)
    except BaseException:
        await key_store.close()
        raise
