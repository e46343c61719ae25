import asyncio
from pathlib import Path

import pytest

from talkwire.accounts.cache import MAX_AGE_MS, Cache
from talkwire.accounts.errors import AccountExists, AccountUnknown, PropertyNeverSet, RevisionStale
from talkwire.accounts.model import PropertyChange
from talkwire.accounts.properties import AGENT_FILE_SHARING, CONSUMER_FILE_SHARING
from talkwire.accounts.service import Accounts
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId, SkillId

A, B = AccountId("1"), AccountId("2")


@pytest.fixture
async def accounts(sqlite_database: SqliteDatabase) -> Accounts:
    accounts = Accounts(sqlite_database, MovableClock())
    await accounts.create(A, "First")
    await accounts.create(B)
    return accounts


async def test_a_new_brand_has_every_switch_off(accounts: Accounts) -> None:
    assert await accounts.value(A, CONSUMER_FILE_SHARING) is False
    assert await accounts.has_grant(A, "Messaging.Agent_File_Sharing") is False


async def test_a_brand_is_made_once(accounts: Accounts) -> None:
    with pytest.raises(AccountExists):
        await accounts.create(A)


async def test_an_unknown_brand_is_found_as_soon_as_it_is_made(accounts: Accounts) -> None:
    late = AccountId("3")
    assert await accounts.find(late) is None
    with pytest.raises(AccountUnknown):
        await accounts.value(late, CONSUMER_FILE_SHARING)
    await accounts.create(late)
    found = await accounts.find(late)
    assert found is not None
    assert found.name == "3"
    assert [account.account_id for account in await accounts.list_accounts()] == ["1", "2", "3"]


async def test_a_switch_is_seen_at_once_and_by_its_own_brand_only(accounts: Accounts) -> None:
    assert await accounts.value(A, CONSUMER_FILE_SHARING) is False
    await accounts.set_property(A, PropertyChange(CONSUMER_FILE_SHARING.name, "true"))
    assert await accounts.value(A, CONSUMER_FILE_SHARING) is True
    assert await accounts.value(B, CONSUMER_FILE_SHARING) is False


async def test_a_writer_with_an_old_revision_is_refused_and_changes_nothing(accounts: Accounts) -> None:
    _, first = await accounts.set_property(A, PropertyChange("x", 1), if_match=0)
    _, second = await accounts.set_property(A, PropertyChange("x", 2), if_match=first)
    assert (first, second) == (1, 2)
    with pytest.raises(RevisionStale):
        await accounts.set_property(A, PropertyChange("x", 3), if_match=first)
    stored, revision = await accounts.get_property(A, "x")
    assert (stored.value, revision) == (2, 2)


async def test_a_property_keeps_the_date_it_was_first_set(sqlite_database: SqliteDatabase) -> None:
    clock = MovableClock()
    accounts = Accounts(sqlite_database, clock)
    await accounts.create(A)
    first, _ = await accounts.set_property(A, PropertyChange("x", {"deep": [1]}))
    clock.advance(seconds=5)
    second, _ = await accounts.set_property(A, PropertyChange("x", True, type=1))
    assert second.created_at_ms == first.created_at_ms
    assert second.modified_at_ms == first.created_at_ms + 5000
    assert (second.value, second.type) == (True, 1)


async def test_a_deleted_property_counts_as_never_set(accounts: Accounts) -> None:
    await accounts.set_property(A, PropertyChange("x", 1))
    await accounts.set_property(A, PropertyChange("x", 1, deleted=True))
    with pytest.raises(PropertyNeverSet):
        await accounts.get_property(A, "x")
    assert await accounts.list_properties(A) == ([], 2)


async def test_the_misspelt_switch_is_the_switch(accounts: Accounts) -> None:
    await accounts.set_property(A, PropertyChange("messaging.agent.file.sharing.enable", "true"))
    assert await accounts.value(A, AGENT_FILE_SHARING) is True
    stored, _ = await accounts.get_property(A, "messaging.agent.file.sharing.enable")
    assert stored.id == AGENT_FILE_SHARING.name


async def test_grants_are_added_to_others_unless_all_are_replaced(accounts: Accounts) -> None:
    await accounts.set_grants(A, {"a": "true"})
    await accounts.set_grants(A, {"b": "false"})
    assert await accounts.list_grants(A) == ({"a": "true", "b": "false"}, 2)
    assert await accounts.has_grant(A, "a")
    assert not await accounts.has_grant(A, "b")
    assert not await accounts.has_grant(B, "a")
    await accounts.set_grants(A, {"c": "true"}, replace_all=True)
    assert (await accounts.list_grants(A))[0] == {"c": "true"}


async def test_a_campaign_leads_to_its_skill(accounts: Accounts) -> None:
    assert await accounts.skill_of_campaign(A, "c", "e") is None
    await accounts.set_campaign(A, "c", "e", SkillId("7"))
    await accounts.set_campaign(A, "c", "e", SkillId("8"))
    assert await accounts.skill_of_campaign(A, "c", "e") == "8"
    assert await accounts.skill_of_campaign(B, "c", "e") is None


async def test_another_node_s_write_shows_after_a_few_seconds(sqlite_database: SqliteDatabase) -> None:
    clock = MovableClock()
    here, there = Accounts(sqlite_database, clock), Accounts(sqlite_database, clock)
    await here.create(A)
    assert await there.value(A, CONSUMER_FILE_SHARING) is False
    await here.set_property(A, PropertyChange(CONSUMER_FILE_SHARING.name, True))
    assert await there.value(A, CONSUMER_FILE_SHARING) is False
    clock.advance(seconds=MAX_AGE_MS / 1000)
    assert await there.value(A, CONSUMER_FILE_SHARING) is True


async def test_what_is_known_is_known_after_a_restart(tmp_path: Path) -> None:
    for switch in (True, False):
        database = await SqliteDatabase.open(tmp_path / "again.db")
        await database.migrate()
        accounts = Accounts(database, MovableClock())
        if switch:
            await accounts.create(A)
            await accounts.set_property(A, PropertyChange(CONSUMER_FILE_SHARING.name, "true"))
        assert await accounts.value(A, CONSUMER_FILE_SHARING) is True
        await database.close()


async def test_a_value_read_while_it_changed_is_not_kept() -> None:
    gate, answers = asyncio.Event(), iter(["old", "new"])

    async def load(key: str) -> str:
        value = next(answers)
        await gate.wait()
        return value

    cache: Cache[str, str] = Cache(MovableClock(), load)
    reading = asyncio.create_task(cache.find("k"))
    await asyncio.sleep(0)
    cache.drop("k")
    gate.set()
    assert await reading == "old"
    assert await cache.find("k") == "new"


async def test_the_cache_holds_no_more_than_it_may() -> None:
    loads: list[int] = []

    async def load(key: int) -> int:
        loads.append(key)
        return key

    cache: Cache[int, int] = Cache(MovableClock(), load, capacity=2)
    for key in (1, 2, 3, 3, 1):
        await cache.find(key)
    assert loads == [1, 2, 3, 1]
    cache.drop_all()
    await cache.find(1)
    assert loads == [1, 2, 3, 1, 1]
