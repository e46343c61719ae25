from dataclasses import dataclass
from pathlib import Path

import pytest

from talkwire.accounts.properties import (
    AGENT_FILE_SHARING,
    AGENT_FILE_SHARING_GRANT,
    AGENT_FILE_SHARING_V2_GRANT,
    CONSUMER_FILE_SHARING,
)
from talkwire.accounts.service import Accounts
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.cli.demo import ensure_brand, greeting
from talkwire.cli.demo_book import ACCOUNT_ID, encode_book, new_book, read_book
from talkwire.cli.failures import CannotStart
from talkwire.connectors.apps import Apps
from talkwire.identity.agents import Agents
from talkwire.identity.model import Privilege
from talkwire.identity.passwords import Passwords
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId
from talkwire.routing.skills import Skills
from talkwire.settings import Listen, Settings
from talkwire.vault.service import Vault

BRAND = AccountId(ACCOUNT_ID)


@dataclass(frozen=True)
class Parts:
    accounts: Accounts
    agents: Agents
    skills: Skills
    apps: Apps


@pytest.fixture
def parts(sqlite_database: SqliteDatabase, vault: Vault) -> Parts:
    clock = MovableClock()
    return Parts(
        Accounts(sqlite_database, clock),
        Agents(sqlite_database, clock, Passwords()),
        Skills(sqlite_database, clock),
        Apps(sqlite_database, clock, vault),
    )


async def test_every_gate_of_file_sharing_is_open(parts: Parts, tmp_path: Path) -> None:
    await ensure_brand(parts, tmp_path / "demo.json")
    for switch in (CONSUMER_FILE_SHARING, AGENT_FILE_SHARING):
        assert await parts.accounts.value(BRAND, switch) is True
    for grant in (AGENT_FILE_SHARING_GRANT, AGENT_FILE_SHARING_V2_GRANT):
        assert await parts.accounts.has_grant(BRAND, grant)
    for name in ("agent", "agent2", "bot"):
        agent = await parts.agents.find_by_login(BRAND, name)
        assert agent is not None
        who = await parts.agents.principal_of(agent)
        assert who.may(Privilege.SEND_FILES)
        assert who.may(Privilege.SEND_FILES_FROM_WIDGETS)


async def test_the_cast_has_the_profiles_that_their_names_say(parts: Parts, tmp_path: Path) -> None:
    await ensure_brand(parts, tmp_path / "demo.json")
    profiles = {user.login_name: user.profile for user in await parts.agents.list_users(BRAND)}
    assert profiles == {
        "admin": "administrator",
        "agent": "agent",
        "agent2": "agent",
        "manager": "manager",
        "bot": "bot",
    }


async def test_both_agents_have_every_skill_so_that_a_transfer_finds_somebody(
    parts: Parts, tmp_path: Path
) -> None:
    await ensure_brand(parts, tmp_path / "demo.json")
    skills = {skill.skill_id for skill in await parts.skills.list_skills(BRAND)}
    assert len(skills) == 2
    for user in await parts.agents.list_users(BRAND):
        assert set(user.skills) == (skills if user.profile == "agent" else set())


async def test_a_second_start_makes_nobody_and_changes_no_password(parts: Parts, tmp_path: Path) -> None:
    first = await ensure_brand(parts, tmp_path / "demo.json")
    users = await parts.agents.list_users(BRAND)
    assert await ensure_brand(parts, tmp_path / "demo.json") == first
    assert await parts.agents.list_users(BRAND) == users


async def test_who_was_deleted_does_not_come_back(parts: Parts, tmp_path: Path) -> None:
    await ensure_brand(parts, tmp_path / "demo.json")
    bot = await parts.agents.find_by_login(BRAND, "bot")
    assert bot is not None
    await parts.agents.delete_user(BRAND, bot.id)
    await ensure_brand(parts, tmp_path / "demo.json")
    assert await parts.agents.find_by_login(BRAND, "bot") is None


async def test_a_start_that_was_cut_short_goes_on_with_the_same_passwords(
    parts: Parts, tmp_path: Path
) -> None:
    book = new_book()
    (tmp_path / "demo.json").write_text(encode_book(book))
    agent = book.people["agent"]
    await parts.accounts.create(BRAND)
    await parts.agents.create_user(BRAND, agent.login_name, agent.password, agent.profile)
    done = await ensure_brand(parts, tmp_path / "demo.json")
    assert done.people == book.people
    assert done.complete
    assert read_book(tmp_path / "demo.json") == done
    assert len(await parts.agents.list_users(BRAND)) == 5


async def test_a_brand_whose_book_was_lost_is_not_given_new_passwords(parts: Parts, tmp_path: Path) -> None:
    await parts.accounts.create(BRAND)
    with pytest.raises(CannotStart, match=r"demo\.json is missing"):
        await ensure_brand(parts, tmp_path / "demo.json")


def test_the_greeting_says_where_to_go_and_as_whom() -> None:
    book = new_book()
    text = greeting(book, Settings(listen=Listen(http_port=8080)), Path.cwd() / "data" / "demo.env")
    assert "https://127.0.0.1:8443 and http://127.0.0.1:8080" in text
    for person in book.people.values():
        assert person.login_name in text
        assert person.password in text
    assert "  . data/demo.env\n" in text


async def test_the_connector_of_the_book_is_installed_and_let_go_for_good(
    parts: Parts, tmp_path: Path
) -> None:
    book = await ensure_brand(parts, tmp_path / "demo.json")
    app = await parts.apps.get(BRAND, book.client_id)
    assert await parts.apps.secret_of(app) == book.client_secret
    await ensure_brand(parts, tmp_path / "demo.json")
    assert len(await parts.apps.list_apps(BRAND)) == 1
    await parts.apps.delete(BRAND, book.client_id)
    await ensure_brand(parts, tmp_path / "demo.json")
    assert await parts.apps.list_apps(BRAND) == []
