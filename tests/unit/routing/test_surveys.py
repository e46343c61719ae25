"""While a survey runs the conversation is over for those who answer: nobody is rung, nothing is owed."""

import pytest

from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.conversations.errors import ConversationClosed
from talkwire.conversations.model import (
    Conversation,
    ConversationQuery,
    Csat,
    Delay,
    Role,
    State,
    Ttr,
    TtrType,
)
from talkwire.identity.model import Principal
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import DialogId, SkillId
from talkwire.routing.errors import RingSettled
from talkwire.routing.model import (
    ChangeType,
    CloseConversation,
    CloseDialog,
    CsatChange,
    DelayChange,
    FieldChange,
    ManualEttrChange,
    NoteChange,
    ParticipantsChange,
    RingState,
    SkillChange,
    TopicChange,
    TtrChange,
)

ACCEPT = ParticipantsChange(ChangeType.ACCEPT, Role.ASSIGNED_AGENT)


def add(role: Role, user_id: str = "") -> ParticipantsChange:
    return ParticipantsChange(ChangeType.ADD, role, user_id)


def remove(role: Role, user_id: str = "") -> ParticipantsChange:
    return ParticipantsChange(ChangeType.REMOVE, role, user_id)


def suggest(user_id: str) -> ParticipantsChange:
    return ParticipantsChange(ChangeType.SUGGEST, Role.ASSIGNED_AGENT, user_id)


async def in_survey(brand: Brand, agent: Principal, who: Principal) -> Conversation:
    """A conversation whose main dialog its agent closed."""
    brand.survey_app = "app-1"
    held = await brand.held_by(agent, who)
    await brand.update(agent, held.conversation_id, CloseDialog(DialogId(held.conversation_id)))
    now = await brand.now(held.conversation_id)
    assert (now.state, now.stage) == (State.CLOSE, State.OPEN)
    return now


@pytest.mark.parametrize(
    "changes",
    [
        (remove(Role.ASSIGNED_AGENT), suggest("other"), SkillChange(SkillId("5"))),
        (suggest("other"),),
        (add(Role.ASSIGNED_AGENT),),
        (SkillChange(SkillId("5")),),
        (TtrChange(Ttr(TtrType.CUSTOM, 5)),),
        (ManualEttrChange(5),),
        (DelayChange(Delay("NIGHT", 5)),),
    ],
)
async def test_nothing_that_leads_to_an_answer_changes_any_more(
    brand: Brand, changes: tuple[FieldChange, ...]
) -> None:
    agent = await brand.online()
    now = await in_survey(brand, agent, consumer())
    other = await brand.online()
    named = [suggest(other.id) if change == suggest("other") else change for change in changes]
    with pytest.raises(ConversationClosed):
        await brand.update(agent, now.conversation_id, *named)
    await brand.settle()
    assert await brand.now(now.conversation_id) is now
    assert brand.rings(other) == []


async def test_neither_a_manager_nor_the_consumer_changes_it_either(brand: Brand) -> None:
    agent, other, manager, who = await brand.online(), brand.agent(), brand.agent("manager"), consumer()
    now = await in_survey(brand, agent, who)
    for by, change in (
        (manager, add(Role.ASSIGNED_AGENT, other.id)),
        (manager, add(Role.MANAGER)),
        (manager, remove(Role.ASSIGNED_AGENT, agent.id)),
        (brand.agent("bot"), add(Role.ASSIGNED_AGENT)),
        (who, TtrChange(Ttr(TtrType.URGENT, 300))),
    ):
        with pytest.raises(ConversationClosed):
            await brand.update(by, now.conversation_id, change)


async def test_what_closes_the_main_dialog_is_not_followed_by_a_transfer(brand: Brand) -> None:
    brand.survey_app = "app-1"
    agent, other = await brand.online(), await brand.online()
    held = await brand.held_by(agent)
    close = CloseDialog(DialogId(held.conversation_id))
    with pytest.raises(ConversationClosed):
        await brand.update(agent, held.conversation_id, close, remove(Role.ASSIGNED_AGENT), suggest(other.id))
    assert await brand.now(held.conversation_id) is held


@pytest.mark.parametrize("is_suggested", [False, True])
async def test_rings_end_with_the_main_dialog(brand: Brand, *, is_suggested: bool) -> None:
    brand.survey_app = "app-1"
    first, who = await brand.online(), consumer()
    if is_suggested:
        opened = await brand.held_by(first, who)
        agent = await brand.online()
        await brand.update(first, opened.conversation_id, suggest(agent.id))
    else:
        agent, opened = first, await brand.open(who)
    await brand.settle()
    [ring] = brand.rings(agent)
    await brand.update(who, opened.conversation_id, CloseDialog(DialogId(opened.conversation_id)))
    assert brand.rung[-1].ring.state is RingState.CANCELLED
    with pytest.raises(RingSettled):
        await brand.routing.update_ring(agent, ring.ring_id, RingState.ACCEPTED)
    with pytest.raises(TalkwireError):
        await brand.update(agent, opened.conversation_id, ACCEPT)
    assert (await brand.now(opened.conversation_id)).roles_of(agent.id) == ()


async def test_no_answer_is_owed(brand: Brand) -> None:
    agent, manager, who = await brand.online(), brand.agent("manager"), consumer()
    now = await in_survey(brand, agent, who)
    view = await brand.conversations.view(ACCOUNT, now.conversation_id)
    assert view.effective_ttr_ms == -1
    query = ConversationQuery(max_ettr_seconds=3600)
    assert await brand.conversations.list_for(manager, query) == []


async def test_whoever_may_close_still_may_and_rate_and_note_and_leave(brand: Brand) -> None:
    agent, who = await brand.online(), consumer()
    now = await in_survey(brand, agent, who)
    await brand.update(who, now.conversation_id, CsatChange(Csat(rate=4)))
    await brand.update(agent, now.conversation_id, NoteChange("rude"), TopicChange("shoes"))
    await brand.update(agent, now.conversation_id, remove(Role.ASSIGNED_AGENT))
    after = await brand.now(now.conversation_id)
    assert (after.roles_of(agent.id), after.queued_at_ms, after.note) == ((), 0, "rude")
    await brand.settle()
    assert brand.rings(agent) == []
    await brand.update(who, now.conversation_id, CloseDialog(now.dialogs[1].dialog_id))
    assert (await brand.now(now.conversation_id)).stage is State.CLOSE


async def test_an_agent_ends_the_survey_with_the_conversation(brand: Brand) -> None:
    agent = await brand.online()
    now = await in_survey(brand, agent, consumer())
    await brand.update(agent, now.conversation_id, CloseConversation())
    assert (await brand.now(now.conversation_id)).stage is State.CLOSE


@pytest.mark.parametrize("role", [Role.MANAGER, Role.CONTROLLER])
async def test_a_survey_bot_joins_asks_and_leaves(brand: Brand, role: Role) -> None:
    agent, bot = await brand.online(), brand.agent("bot")
    now = await in_survey(brand, agent, consumer())
    await brand.update(bot, now.conversation_id, add(role))
    assert (await brand.now(now.conversation_id)).roles_of(bot.id) == (role,)
    with pytest.raises(ConversationClosed):
        await brand.update(
            bot, now.conversation_id, ParticipantsChange(ChangeType.UPDATE, Role.ASSIGNED_AGENT)
        )
    await brand.update(bot, now.conversation_id, remove(role))
    assert (await brand.now(now.conversation_id)).roles_of(bot.id) == ()
