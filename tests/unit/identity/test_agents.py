import pytest

from identity_rooms import ACCOUNT, OTHER, PASSWORD, Rooms
from talkwire.accounts.errors import RevisionStale
from talkwire.identity.agents import AgentChanged
from talkwire.identity.errors import AgentNotAllowed, AgentUnknown, LoginNameTaken, SessionEnded
from talkwire.identity.model import Privilege
from talkwire.identity.users import AgentChange
from talkwire.kernel.ids import SkillId


async def test_an_agent_is_found_by_pid_old_id_and_user_id(rooms: Rooms) -> None:
    made = await rooms.agents.create_user(
        ACCOUNT, "x@brand", PASSWORD, "agent", AgentChange(skills=(SkillId("5"),), nickname="X")
    )
    for any_id in (made.id, made.user_id, made.old_id):
        assert await rooms.agents.find_agent(ACCOUNT, any_id) == made
        assert await rooms.agents.find_agent(OTHER, any_id) is None
    assert made.skills == ("5",)
    assert made.max_conversations == 5
    assert made.user_id.isdecimal()


async def test_a_login_name_is_taken_whatever_its_case_and_in_one_brand_only(rooms: Rooms) -> None:
    with pytest.raises(LoginNameTaken):
        await rooms.agents.create_user(ACCOUNT, "AGENT@brand", PASSWORD)
    await rooms.agents.create_user(OTHER, "AGENT@brand", PASSWORD)


async def test_a_profile_that_is_none_is_refused(rooms: Rooms) -> None:
    with pytest.raises(AgentNotAllowed):
        await rooms.agents.create_user(ACCOUNT, "x@brand", PASSWORD, "boss")
    with pytest.raises(AgentNotAllowed):
        await rooms.agents.set_privilege(ACCOUNT, "boss", Privilege.SEND_FILES, on=True)


async def test_a_change_is_seen_at_once_by_every_id(rooms: Rooms) -> None:
    agent = await rooms.agents.find_by_login(ACCOUNT, "agent@brand")
    assert agent is not None
    await rooms.agents.find_agent(ACCOUNT, agent.id)
    await rooms.agents.find_agent(ACCOUNT, agent.user_id)
    await rooms.agents.update_user(ACCOUNT, agent.old_id, AgentChange(nickname="Ann", max_conversations=9))
    for any_id in (agent.id, agent.user_id):
        found = await rooms.agents.get_agent(ACCOUNT, any_id)
        assert (found.nickname, found.max_conversations) == ("Ann", 9)


async def test_writers_compare_the_revision_of_all_users(rooms: Rooms) -> None:
    revision = await rooms.agents.revision(ACCOUNT)
    agent = await rooms.agents.find_by_login(ACCOUNT, "agent@brand")
    assert agent is not None
    await rooms.agents.update_user(ACCOUNT, agent.id, AgentChange(nickname="A"), if_match=revision)
    with pytest.raises(RevisionStale):
        await rooms.agents.update_user(ACCOUNT, agent.id, AgentChange(nickname="B"), if_match=revision)
    with pytest.raises(RevisionStale):
        await rooms.agents.delete_user(ACCOUNT, agent.id, revision)
    assert (await rooms.agents.get_agent(ACCOUNT, agent.id)).nickname == "A"


async def test_a_deleted_user_is_gone_and_its_name_is_free(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    await rooms.agents.delete_user(ACCOUNT, signed_in.agent.id)
    assert await rooms.agents.find_agent(ACCOUNT, signed_in.agent.user_id) is None
    with pytest.raises(AgentUnknown):
        await rooms.agents.update_user(ACCOUNT, signed_in.agent.id, AgentChange())
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    again = await rooms.agents.create_user(ACCOUNT, "agent@brand", PASSWORD)
    assert again.id != signed_in.agent.id


async def test_a_privilege_of_a_profile_is_everyone_s_at_once(rooms: Rooms) -> None:
    bearer = (await rooms.signed_in("bot@brand")).bearer
    before = await rooms.sign_in.principal_of_bearer(ACCOUNT, bearer)
    assert not before.may(Privilege.SEND_FILES)
    await rooms.agents.set_privilege(ACCOUNT, "bot", Privilege.SEND_FILES, on=True)
    after = await rooms.sign_in.principal_of_bearer(ACCOUNT, bearer)
    assert after.may(Privilege.SEND_FILES)
    assert not (await rooms.agents.list_profiles(OTHER))["bot"].privileges & {Privilege.SEND_FILES}


async def test_a_privilege_taken_away_signs_out_who_had_it(rooms: Rooms) -> None:
    bot, agent = await rooms.signed_in("bot@brand"), await rooms.signed_in("agent@brand")
    ended: list[str] = []
    rooms.sign_in.on_revoked(ended.append)
    await rooms.agents.set_privilege(ACCOUNT, "bot", Privilege.JOIN_AS_MANAGER, on=False)
    assert ended == [bot.session_id]
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, bot.bearer)
    await rooms.sign_in.principal_of_bearer(ACCOUNT, agent.bearer)


async def test_listeners_hear_of_each_change_after_it_is_durable(rooms: Rooms) -> None:
    heard: list[AgentChanged] = []
    rooms.agents.on_change(heard.append)
    made = await rooms.agents.create_user(ACCOUNT, "x@brand", PASSWORD)
    await rooms.agents.update_user(ACCOUNT, made.id, AgentChange(enabled=False))
    assert [(change.agent_id, change.ended_sessions) for change in heard] == [(made.id, ())] * 2


async def test_the_principal_of_an_agent_carries_its_rights_and_ids(rooms: Rooms) -> None:
    bot = await rooms.agents.find_by_login(ACCOUNT, "BOT@brand")
    assert bot is not None
    who = await rooms.agents.principal_of(bot)
    assert (who.id, who.old_id, who.is_bot, who.is_consumer) == (bot.id, bot.old_id, True, False)
    assert who.may(Privilege.JOIN_AS_MANAGER)
