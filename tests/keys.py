"""Key stores and vaults for tests: `any_key_store`, which runs a test once per adapter, and `vault`."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from database import ADAPTERS, new_postgres_database
from talkwire.backends.keystore.port import KeyStore
from talkwire.backends.keystore.postgres import PostgresKeyStore
from talkwire.backends.keystore.sqlite import SqliteKeyStore
from talkwire.kernel.clock import Clock, MovableClock, SystemClock
from talkwire.vault.masters import MasterFile, MasterSecrets
from talkwire.vault.service import Vault

MASTER = "5c" * 32


@contextlib.asynccontextmanager
async def opened_keys(adapter: str, address: str) -> AsyncIterator[KeyStore]:
    """The key store at an address (a folder or a URL), with its schema; closed afterwards."""
    store: KeyStore
    if adapter == "sqlite":
        store = await SqliteKeyStore.open(Path(address))
    else:
        store = await PostgresKeyStore.open(address)
    try:
        await store.migrate()
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def opened_vault(folder: Path, clock: Clock | None = None) -> AsyncIterator[Vault]:
    """A vault with a master key of its own in a folder, embedded."""
    folder.mkdir(mode=0o700, exist_ok=True)
    async with opened_keys("sqlite", str(folder)) as store:
        yield await Vault.open(store, MasterFile(folder), clock or SystemClock())


@pytest.fixture(params=ADAPTERS)
async def keys_address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """An adapter's name and the address of an empty key store for it."""
    if request.param == "sqlite":
        folder = tmp_path / "keys"
        folder.mkdir(mode=0o700)
        return "sqlite", str(folder)
    return "postgres", await new_postgres_database(request.getfixturevalue("postgres"))


@pytest.fixture
async def any_key_store(keys_address: tuple[str, str]) -> AsyncIterator[KeyStore]:
    """A key store of this test's own, once per adapter."""
    async with opened_keys(*keys_address) as store:
        yield store


@pytest.fixture
async def two_stores(keys_address: tuple[str, str]) -> AsyncIterator[tuple[KeyStore, KeyStore]]:
    """One key store as two nodes have it open. The embedded one has one process: they share it."""
    adapter, _ = keys_address
    async with opened_keys(*keys_address) as one, contextlib.AsyncExitStack() as stack:
        two = one if adapter == "sqlite" else await stack.enter_async_context(opened_keys(*keys_address))
        yield one, two


@pytest.fixture
async def any_vault(any_key_store: KeyStore) -> Vault:
    """A vault on each adapter."""
    return await Vault.open(any_key_store, MasterSecrets(MASTER), SystemClock())


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    """An embedded vault of this test's own, its clock standing still."""
    async with opened_vault(tmp_path / "keys", MovableClock()) as vault:
        yield vault
