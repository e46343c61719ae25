"""Skills: created, changed and let go, with the collection's revision."""

import pytest

from talkwire.accounts.errors import RevisionStale
from talkwire.backends.database.port import Database
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId
from talkwire.routing.errors import SkillInvalid, SkillNameTaken, SkillNotFound
from talkwire.routing.skills import Skills

ACCOUNT, OTHER = AccountId("12345678"), AccountId("87654321")


@pytest.fixture
def skills(sqlite_database: Database) -> Skills:
    return Skills(sqlite_database, MovableClock())


async def test_a_skill_gets_a_decimal_id_of_its_own(skills: Skills) -> None:
    first, second = await skills.create(ACCOUNT, " sales "), await skills.create(ACCOUNT, "care")
    assert first.name == "sales"
    assert first.skill_id.isdecimal()
    assert len(second.skill_id) <= 10
    assert [s.name for s in await skills.list_skills(ACCOUNT)] == ["care", "sales"]
    assert await skills.list_skills(OTHER) == []


async def test_an_id_is_never_given_twice(skills: Skills) -> None:
    first = await skills.create(ACCOUNT, "sales")
    await skills.delete(ACCOUNT, first.skill_id)
    second = await skills.create(ACCOUNT, "sales")
    assert second.skill_id != first.skill_id
    with pytest.raises(SkillNotFound):
        await skills.get(ACCOUNT, first.skill_id)


async def test_a_name_is_taken_once_per_account(skills: Skills) -> None:
    skill = await skills.create(ACCOUNT, "sales")
    await skills.create(OTHER, "sales")
    care = await skills.create(ACCOUNT, "care")
    with pytest.raises(SkillNameTaken):
        await skills.create(ACCOUNT, "sales")
    with pytest.raises(SkillNameTaken):
        await skills.update(ACCOUNT, care.skill_id, name="sales")
    assert (await skills.update(ACCOUNT, skill.skill_id, name="sales", description="d")).description == "d"


@pytest.mark.parametrize(("name", "description"), [("", ""), ("  ", ""), ("x" * 257, ""), ("x", "d" * 4097)])
async def test_a_skill_without_a_name_or_with_a_book_in_it_is_refused(
    skills: Skills, name: str, description: str
) -> None:
    with pytest.raises(SkillInvalid):
        await skills.create(ACCOUNT, name, description)


async def test_a_write_must_match_the_revision_it_was_made_on(skills: Skills) -> None:
    skill = await skills.create(ACCOUNT, "sales")
    revision = await skills.revision(ACCOUNT)
    await skills.update(ACCOUNT, skill.skill_id, name="shop", if_match=revision)
    for attempt in (
        skills.update(ACCOUNT, skill.skill_id, name="x", if_match=revision),
        skills.delete(ACCOUNT, skill.skill_id, if_match=revision),
        skills.create(ACCOUNT, "y", if_match=revision),
    ):
        with pytest.raises(RevisionStale):
            await attempt
    assert await skills.revision(ACCOUNT) == revision + 1


async def test_another_accounts_skill_looks_like_none(skills: Skills) -> None:
    skill = await skills.create(ACCOUNT, "sales")
    with pytest.raises(SkillNotFound):
        await skills.get(OTHER, skill.skill_id)
    with pytest.raises(SkillNotFound):
        await skills.update(OTHER, skill.skill_id, name="x")
    with pytest.raises(SkillNotFound):
        await skills.delete(OTHER, skill.skill_id)
