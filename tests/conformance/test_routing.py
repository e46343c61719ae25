"""What must hold on both databases when things happen at the same moment: one accept, one opening."""

import asyncio

from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.backends.database.port import Database
from talkwire.conversations.model import NewConversation, Role, Ttr, TtrType
from talkwire.kernel.errors import TalkwireError


async def test_of_many_who_accept_at_once_one_gets_it(any_database: Database) -> None:
    brand = Brand(any_database)
    agents = [await brand.online() for _ in range(3)]
    opened = [(await brand.open()).conversation_id for _ in range(10)]
    await brand.settle()
    waiting = [(agent, ring) for agent in agents for ring in brand.rings(agent)]
    assert len(waiting) >= len(opened)
    answers = await asyncio.gather(
        *(brand.answer(agent, ring.conversation_id) for agent, ring in waiting),
        *(brand.routing.dispatcher.dispatch(ACCOUNT) for _ in range(3)),
        return_exceptions=True,
    )
    assert all(answer is None or isinstance(answer, TalkwireError) for answer in answers)
    for conversation_id in opened:
        roles = [p.role for p in (await brand.now(conversation_id)).participants]
        assert roles.count(Role.ASSIGNED_AGENT) == 1
    await brand.settle()
    assert [brand.rings(agent) for agent in agents] == [[], [], []]


async def test_the_same_key_at_the_same_moment_opens_once(any_database: Database) -> None:
    brand, who = Brand(any_database), consumer()
    new = NewConversation(
        account_id=ACCOUNT,
        consumer_id=who.id,
        ttr=Ttr(TtrType.NORMAL, 600),
        idempotency_key="k",
        fingerprint=b"1",
    )
    views = await asyncio.gather(*(brand.conversations.open(new) for _ in range(10)))
    assert len({view.conversation.conversation_id for view in views}) == 1
