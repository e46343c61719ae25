"""The key store, the vault and the audit trail, put together: everything personal rests on them."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from talkwire.audit.anchors import Anchors, list_anchored
from talkwire.audit.service import Trail
from talkwire.audit.store import list_heads
from talkwire.backends.database.port import Database
from talkwire.backends.keystore.port import KeyStore
from talkwire.backends.keystore.sqlite import FILE_NAME, SqliteKeyStore
from talkwire.files.temp_urls import TempUrls
from talkwire.history.erasure_store import is_erased
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId
from talkwire.settings import Settings
from talkwire.vault.errors import MasterKeyWrong
from talkwire.vault.masters import MasterFile, Masters, MasterSecrets, make_private
from talkwire.vault.requests import Rotations
from talkwire.vault.service import Vault
from talkwire.vault.store import find_master_id, list_file_accounts

if TYPE_CHECKING:
    from talkwire.ops.metrics import Metrics

_LOST = (
    "{} is empty, and the data was written with keys: give the right folder (--keys), or put the keys' backup back "
    "(talkwire restore --keys-from)"
)
_FOREIGN = (
    "{keys} holds the keys of {accounts}, and {data} knows nothing of them: give the right data (--data), see whether "
    "its disk is there, or give another keys folder (--keys). Only if what they opened is lost, or given up, say so once "
    "with `talkwire audit restored` and the same folders: the keys of its files are then destroyed within hours"
)
MOST_NAMED = 3


@dataclass(frozen=True)
class KeyRooms:
    key_store: KeyStore
    vault: Vault
    trail: Trail
    anchors: Anchors
    rotations: Rotations

    def watch(self, metrics: "Metrics") -> None:
        anchors = self.anchors
        metrics.watch(
            "audit_trails_lacking",
            "Audit trails that lack what was anchored of them: more than 0 is an alarm.",
            lambda: len(anchors.lacking),
        )

    async def close(self) -> None:
        try:
            await self._close_trail()
        finally:
            await self.key_store.close()

    async def _close_trail(self) -> None:
        try:
            await self.trail.close()
        finally:
            with contextlib.suppress(Unavailable):  # the next start anchors what this one could not
                await self.anchors.keep()


async def open_key_store(settings: Settings) -> KeyStore:
    """The key store that the settings name, not migrated. Raises MasterKeyWrong, DatabaseInUse, Unavailable."""
    if settings.storage.keys_url:
        from talkwire.backends.keystore.postgres import PostgresKeyStore  # noqa: PLC0415 -- only where it is used

        return await PostgresKeyStore.open(settings.storage.keys_url)
    folder = settings.storage.keys_path
    make_private(folder)
    return await SqliteKeyStore.open(folder)


async def key_store_of(settings: Settings, database: Database, *, is_given_up: bool = False) -> KeyStore:
    """The migrated key store that the data was written with. Raises as `open_key_store`, and SchemaTooNew.

    A new one beside data that had another would open nothing, and know nothing of what was erased. Data that knows
    nothing of what is in the key store would have its keys swept away as strays: unless all else `is_given_up`.
    """
    storage = settings.storage
    had_keys = bool(await database.read("SELECT 1 AS one FROM audit_heads LIMIT 1"))
    if had_keys and not storage.keys_url and not (storage.keys_path / FILE_NAME).exists():
        raise MasterKeyWrong(_LOST.format(storage.keys_path))
    key_store = await open_key_store(settings)
    try:
        await key_store.migrate()
        if had_keys:
            await _check_had_master(key_store)
        if not is_given_up:
            await _check_known(settings, database, key_store)
    except BaseException:
        await key_store.close()
        raise
    return key_store


async def _check_had_master(key_store: KeyStore) -> None:
    if await find_master_id(key_store) is None:
        raise MasterKeyWrong(_LOST.format("the key store"))


async def _check_known(settings: Settings, database: Database, key_store: KeyStore) -> None:
    """Refuse data that has the trail of no account whose trail or files the key store knows."""
    expected = await list_anchored(key_store) or await list_file_accounts(key_store)
    known = {account_id for account_id, _ in await list_heads(database)}
    if not expected or known.intersection(expected):
        return
    storage = settings.storage
    more = len(expected) - MOST_NAMED
    accounts = ", ".join(expected[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    data = "the database" if storage.database_url else str(storage.data_path)
    keys = "The key store" if storage.keys_url else str(storage.keys_path)
    raise MasterKeyWrong(_FOREIGN.format(keys=keys, accounts=accounts, data=data))


def masters_of(settings: Settings) -> Masters:
    """The master keys that the settings name. Raises MasterKeyWrong."""
    storage = settings.storage
    if storage.master_key:
        return MasterSecrets(storage.master_key, storage.master_key_former)
    return MasterFile(storage.keys_path)


async def open_keys(
    settings: Settings, database: Database, clock: Clock, *, is_given_up: bool = False
) -> KeyRooms:
    """Raises MasterKeyWrong, SchemaTooNew, DatabaseInUse, Unavailable. `is_given_up` as in `key_store_of`."""
    key_store = await key_store_of(settings, database, is_given_up=is_given_up)
    try:
        vault = await Vault.open(key_store, masters_of(settings), clock)
        trail = Trail(database, clock, vault, is_erased)
        urls = TempUrls(database, clock, settings.files.slot_seconds, vault)
        rotations = Rotations(vault, lambda account_id: urls.rotate(AccountId(account_id), trail), trail)
        anchors = Anchors(database, key_store, clock)
        if not is_given_up:
            # looks whether all that was anchored is there, before anything new is recorded
            await anchors.keep()
        await rotations.tell_ended()
        return KeyRooms(key_store, vault, trail, anchors, rotations)
    except BaseException:
        await key_store.close()
        raise
