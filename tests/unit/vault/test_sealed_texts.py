"""What opens doors is sealed in the database: whoever has the data alone signs and calls nothing."""

from pathlib import Path

import pytest

from database import opened
from talkwire.assembly.sealing_store import seal_what_lies_open
from talkwire.backends.database.port import Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.keystore.sqlite import SqliteKeyStore
from talkwire.files.temp_urls import TempUrls
from talkwire.identity.agents import Agents
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.keys import SigningKeys
from talkwire.identity.passwords import Passwords
from talkwire.identity.session_store import ApiKey, insert_api_key
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId, ParticipantId
from talkwire.vault.masters import MasterFile
from talkwire.vault.sealed_texts import SealedTexts
from talkwire.vault.service import Vault

ACCOUNT = AccountId("1")
PATH = "/v1/AUTH_async-images/1/zoe_uuid_01234567-89ab-4cde-8f01-23456789abcd_02-01-2024_03-04-05-678.PNG"


async def vault_in(folder: Path) -> tuple[SqliteKeyStore, Vault]:
    folder.mkdir(mode=0o700)
    keys = await SqliteKeyStore.open(folder)
    await keys.migrate()
    return keys, await Vault.open(keys, MasterFile(folder), MovableClock())


async def test_what_is_sealed_opens_for_its_account_and_its_keys_alone(tmp_path: Path) -> None:
    keys, vault = await vault_in(tmp_path / "keys")
    others, other_vault = await vault_in(tmp_path / "others")
    texts = SealedTexts(vault, "signing key")
    kept = await texts.seal("1", "secret")
    assert "secret" not in kept
    assert await texts.open("1", kept) == "secret"
    assert await texts.open("1", "kept before") == "kept before"
    assert await texts.open("2", kept) is None
    assert await texts.open("1", kept[:-2] + "zz") is None
    assert await SealedTexts(vault, "temp url key").open("1", kept) is None
    assert await SealedTexts(other_vault, "signing key").open("1", kept) is None
    assert await SealedTexts(None, "x").seal("1", "secret") == "secret"
    await keys.close()
    await others.close()


async def rows_of(database: SqliteDatabase) -> str:
    found = []
    for table in ("temp_url_keys", "signing_keys", "api_keys"):
        found += [tuple(row) for row in await database.read(f"SELECT * FROM {table}")]
    return repr(found)


async def lie_open(database: SqliteDatabase, clock: MovableClock) -> tuple[str, str, ApiKey]:
    """What an earlier version wrote: a URL and a token made with it, and an application key."""
    url = await TempUrls(database, clock, 60, None).sign("GET", ACCOUNT, PATH)
    signing = SigningKeys(database, clock)
    token = await signing.sign(ACCOUNT, {"sub": "zoe"})
    signing.close()
    key = ApiKey(ACCOUNT, "app", "s1", "t1", "s2", ParticipantId("bot"), 0)

    async def unit(tx: Transaction) -> None:
        await insert_api_key(tx, key)

    await database.write(unit)
    return url.signature, token, key


@pytest.mark.parametrize("is_lost", [False, True])
async def test_what_lay_open_is_sealed_and_works_on_while_the_keys_are_there(
    tmp_path: Path, *, is_lost: bool
) -> None:
    clock = MovableClock()
    keys, vault = await vault_in(tmp_path / "keys")
    others, other_vault = await vault_in(tmp_path / "others")
    async with opened("sqlite", str(tmp_path / "talkwire.db")) as database:
        assert isinstance(database, SqliteDatabase)
        signature, token, key = await lie_open(database, clock)
        assert "BEGIN PRIVATE KEY" in await rows_of(database)
        assert await seal_what_lies_open(database, vault) == 5
        assert await seal_what_lies_open(database, vault) == 0
        left = await rows_of(database)
        assert [word for word in ("PRIVATE", "'s1'", "'t1'", "'s2'") if word in left] == []

        sealer = other_vault if is_lost else vault
        urls = TempUrls(database, clock, 60, sealer)
        again = await urls.sign("GET", ACCOUNT, PATH)
        assert (again.signature == signature) is not is_lost
        assert (await urls.check("GET", PATH, again.signature, str(again.expires))).relative_path == PATH
        signing = SigningKeys(database, clock, sealer=sealer)
        assert (await signing.sign(ACCOUNT, {"sub": "zoe"}) == token) is not is_lost
        signing.close()
        passwords = Passwords()
        api_keys = ApiKeys(database, clock, Agents(database, clock, passwords), sealer=sealer)
        assert await api_keys.find(ACCOUNT, "app") == (None if is_lost else key)
        passwords.close()
    await keys.close()
    await others.close()
