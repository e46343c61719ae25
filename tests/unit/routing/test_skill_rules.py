import pytest

from routing_rooms import consumer
from talkwire.accounts.errors import RevisionStale
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.identity.consumer_profiles import ConsumerProfiles
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import ANY_SKILL, AccountId, SkillId
from talkwire.routing.errors import RuleInvalid
from talkwire.routing.rules import Condition, RoutingRule
from talkwire.routing.skill_rules import SkillRules
from talkwire.routing.skills import Skills

ACCOUNT = AccountId("12345678")
ACME = {"authenticatedData": {"lp_sdes": [{"type": "ctmrinfo", "info": {"companyBranch": "ACME"}}]}}


def rule(skill_id: SkillId) -> RoutingRule:
    return RoutingRule("acme", skill_id, (Condition("companyBranch", values=("acme",)),))


class Desk:
    def __init__(self, database: SqliteDatabase) -> None:
        clock = MovableClock()
        self.profiles = ConsumerProfiles(database, clock, 10_000)
        self.rules = SkillRules(database, clock, self.profiles)
        self.skills = Skills(database, clock)


@pytest.fixture
def desk(sqlite_database: SqliteDatabase) -> Desk:
    return Desk(sqlite_database)


async def test_rules_see_the_stored_profile_and_the_one_of_the_same_batch(desk: Desk) -> None:
    skill = (await desk.skills.create(ACCOUNT, "acme")).skill_id
    await desk.rules.replace(ACCOUNT, [rule(skill)])
    who = consumer()
    assert await desk.rules.skill_for(ACCOUNT, who.id) is None
    assert await desk.rules.skill_for(ACCOUNT, who.id, ACME) == skill
    await desk.profiles.set_profile(who, who.id, ACME)
    assert await desk.rules.skill_for(ACCOUNT, who.id) == skill
    assert await desk.rules.skill_for(ACCOUNT, who.id, {"firstName": "A"}) == skill


async def test_a_changed_list_counts_at_once_and_has_the_next_revision(desk: Desk) -> None:
    who = consumer()
    assert await desk.rules.skill_for(ACCOUNT, who.id, ACME) is None
    kept, revision = await desk.rules.replace(ACCOUNT, [rule(ANY_SKILL)])
    assert (kept[0].conditions[0].field, revision) == ("ctmrinfo.info.companyBranch", 1)
    assert await desk.rules.skill_for(ACCOUNT, who.id, ACME) == ANY_SKILL
    assert await desk.rules.list_items(ACCOUNT) == (kept, 1)
    with pytest.raises(RevisionStale):
        await desk.rules.replace(ACCOUNT, [], if_match=0)
    assert (await desk.rules.replace(ACCOUNT, [], if_match=1))[1] == 2
    assert await desk.rules.skill_for(ACCOUNT, who.id, ACME) is None


async def test_a_rule_to_a_skill_that_is_not_there_is_refused_whole(desk: Desk) -> None:
    with pytest.raises(RuleInvalid):
        await desk.rules.replace(ACCOUNT, [rule(SkillId("77"))])
    assert await desk.rules.list_items(ACCOUNT) == ((), 0)


async def test_another_account_has_its_own_rules(desk: Desk) -> None:
    await desk.rules.replace(ACCOUNT, [rule(ANY_SKILL)])
    assert await desk.rules.skill_for(AccountId("87654321"), consumer().id, ACME) is None
