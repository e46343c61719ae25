"""Requests for a conversation: what is missing comes from the account."""

import pytest

from routing_rooms import ACCOUNT, Brand, consumer, principal
from talkwire.accounts.model import PropertyChange
from talkwire.accounts.properties import DEFAULT_TTR_SECONDS, ONE_OPEN_CONVERSATION
from talkwire.accounts.service import Accounts
from talkwire.conversations.errors import ConsumerNotFound, ConversationNotFound, MayNotChange, StillOpen
from talkwire.conversations.model import Campaign, Role, Ttr, TtrType
from talkwire.conversations.opening import ConversationRequest, Opening
from talkwire.kernel.ids import SkillId
from talkwire.routing.model import CloseConversation


@pytest.fixture
async def opening(brand: Brand) -> Opening:
    accounts = Accounts(brand.database, brand.clock)
    await accounts.create(ACCOUNT)
    return Opening(brand.conversations, accounts)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, Ttr(TtrType.PRIORITIZED, 900)),
        (TtrType.PRIORITIZED, Ttr(TtrType.PRIORITIZED, 900)),
        (TtrType.CUSTOM, Ttr(TtrType.CUSTOM, 900)),
        (TtrType.NORMAL, Ttr(TtrType.NORMAL, 1200)),
        (TtrType.URGENT, Ttr(TtrType.URGENT, 300)),
    ],
)
async def test_the_time_to_response_is_named_or_the_accounts(
    opening: Opening, wanted: TtrType | None, expected: Ttr
) -> None:
    await opening.accounts.set_property(ACCOUNT, PropertyChange(DEFAULT_TTR_SECONDS.name, 900))
    view = await opening.open_for_consumer(consumer(), ConversationRequest(ttr_type=wanted))
    assert view.conversation.ttr == expected


@pytest.mark.parametrize(("declared", "seconds"), [(-5, 0), (10**30, 31_536_000)])
async def test_an_accounts_time_to_response_is_between_at_once_and_a_year(
    brand: Brand, opening: Opening, declared: int, seconds: int
) -> None:
    await opening.accounts.set_property(ACCOUNT, PropertyChange(DEFAULT_TTR_SECONDS.name, str(declared)))
    agent = await brand.online()
    view = await opening.open_for_consumer(consumer(), ConversationRequest())
    assert view.conversation.ttr.seconds == seconds
    await brand.settle()
    assert len(brand.rings(agent)) == 1


async def test_a_campaign_routes_unless_a_skill_is_named(opening: Opening) -> None:
    await opening.accounts.set_campaign(ACCOUNT, "10", "20", SkillId("7"))
    campaign = Campaign("10", "20")
    by_campaign = await opening.open_for_consumer(consumer(), ConversationRequest(campaign=campaign))
    assert by_campaign.conversation.skill_id == "7"
    assert by_campaign.conversation.campaign == campaign
    named = await opening.open_for_consumer(
        consumer(), ConversationRequest(campaign=campaign, skill_id=SkillId("8"))
    )
    assert named.conversation.skill_id == "8"
    unknown = await opening.open_for_consumer(consumer(), ConversationRequest(campaign=Campaign("1", "2")))
    assert unknown.conversation.skill_id == "-1"


async def test_the_account_may_want_one_open_conversation(opening: Opening) -> None:
    who = consumer()
    first = await opening.open_for_consumer(who, ConversationRequest())
    assert await opening.open_for_consumer(who, ConversationRequest()) is not first
    await opening.accounts.set_property(ACCOUNT, PropertyChange(ONE_OPEN_CONVERSATION.name, "true"))
    second = await opening.open_for_consumer(who, ConversationRequest())
    assert await opening.open_for_consumer(who, ConversationRequest()) is second


async def test_each_side_has_its_own_request(opening: Opening) -> None:
    with pytest.raises(MayNotChange):
        await opening.open_for_consumer(principal(), ConversationRequest())
    with pytest.raises(MayNotChange):
        await opening.open_by_agent(consumer(), ConversationRequest(consumer_id="x"))


async def test_an_agent_writes_to_a_consumer_it_met_and_has_the_conversation(
    brand: Brand, opening: Opening
) -> None:
    agent, who = await brand.online(), consumer()
    held = await brand.held_by(agent, who)
    await brand.update(agent, held.conversation_id, CloseConversation())
    view = await opening.open_by_agent(agent, ConversationRequest(consumer_id=who.id))
    assert view.conversation.roles_of(agent.id) == (Role.ASSIGNED_AGENT,)
    assert view.conversation.consumer_id == who.id
    assert view.conversation.resume_depth == 0
    with pytest.raises(ConsumerNotFound):
        await opening.open_by_agent(principal(), ConversationRequest(consumer_id=who.id))
    await opening.open_by_agent(principal("bot"), ConversationRequest(consumer_id=who.id))
    with pytest.raises(ConsumerNotFound):
        await opening.open_by_agent(principal("bot"), ConversationRequest(consumer_id="nobody"))


async def test_resuming_counts_its_depth(brand: Brand, opening: Opening) -> None:
    agent, who = await brand.online(), consumer()
    origin = (await brand.held_by(agent, who)).conversation_id
    with pytest.raises(StillOpen):
        await opening.open_by_agent(agent, ConversationRequest(consumer_id=who.id, origin_id=origin))
    for depth in (1, 2):
        await brand.update(agent, origin, CloseConversation())
        resumed = await opening.open_by_agent(
            agent, ConversationRequest(consumer_id=who.id, origin_id=origin)
        )
        assert (resumed.conversation.resumed_from, resumed.conversation.resume_depth) == (origin, depth)
        origin = resumed.conversation.conversation_id


async def test_a_foreign_origin_looks_like_none(brand: Brand, opening: Opening) -> None:
    opened = await brand.open()
    with pytest.raises(ConversationNotFound):
        await opening.open_by_agent(principal(), ConversationRequest(origin_id=opened.conversation_id))
    with pytest.raises(ConsumerNotFound):
        await opening.open_by_agent(
            principal("manager"),
            ConversationRequest(origin_id=opened.conversation_id, consumer_id="another"),
        )
