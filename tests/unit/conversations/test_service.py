"""Conversations over a real embedded database: opened once, changed whole, loaded without gaps."""

import asyncio
from typing import Any

import pytest

from routing_rooms import ACCOUNT, Brand, consumer, principal
from talkwire.backends.database.port import Append, Row, Transaction
from talkwire.conversations import rules
from talkwire.conversations.errors import ConversationNotFound, KeyReused
from talkwire.conversations.model import (
    CloseReason,
    Conversation,
    ConversationQuery,
    NewConversation,
    State,
    Survey,
    Ttr,
    TtrType,
)
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import Views
from talkwire.identity.model import Principal
from talkwire.kernel.ids import AccountId, DialogId, new_uuid


def new(who: Principal, **more: Any) -> NewConversation:
    return NewConversation(
        account_id=who.account_id, consumer_id=who.id, ttr=Ttr(TtrType.NORMAL, 600), **more
    )


def cold(brand: Brand) -> Conversations:
    """The same conversations without anything in memory."""
    return Conversations(brand.database, brand.clock, Views(), hydrate=lambda row: row["sequence"])


async def publish(
    brand: Brand,
    conversation: Conversation,
    by: str,
    *,
    kind: str = "content",
    audience: str = "ALL",
    read_up_to: int | None = None,
) -> Append:
    done: asyncio.Future[Append] = asyncio.get_running_loop().create_future()
    entry = Append(
        account_id=conversation.account_id,
        conversation_id=conversation.conversation_id,
        dialog_id=conversation.main.dialog_id,
        version=conversation.version,
        event_id=new_uuid(),
        kind=kind,
        event=b"{}",
        originator_id=by,
        originator_role="CONSUMER" if by == conversation.consumer_id else "ASSIGNED_AGENT",
        audience=audience,
        at_ms=brand.clock.now_ms(),
        settled=done.set_result,
        is_content=kind == "content",
        read_up_to=read_up_to,
    )
    brand.database.append(entry)
    return await done


async def test_the_same_key_opens_once(brand: Brand) -> None:
    who = consumer()
    first = await brand.conversations.open(new(who, idempotency_key="k", fingerprint=b"1"))
    again = await brand.conversations.open(new(who, idempotency_key="k", fingerprint=b"1"))
    assert again is first


async def test_the_same_key_at_the_same_moment_opens_once(brand: Brand) -> None:
    who = consumer()
    views = await asyncio.gather(
        *(brand.conversations.open(new(who, idempotency_key="k", fingerprint=b"1")) for _ in range(5))
    )
    assert len({view.conversation.conversation_id for view in views}) == 1


async def test_the_same_key_with_another_body_is_refused(brand: Brand) -> None:
    who = consumer()
    await brand.conversations.open(new(who, idempotency_key="k", fingerprint=b"1"))
    with pytest.raises(KeyReused):
        await brand.conversations.open(new(who, idempotency_key="k", fingerprint=b"2"))


async def test_a_key_is_its_participants_own_and_lives_for_a_day(brand: Brand) -> None:
    who, other = consumer(), consumer()
    first = await brand.conversations.open(new(who, idempotency_key="k", fingerprint=b"1"))
    foreign = await brand.conversations.open(new(other, idempotency_key="k", fingerprint=b"2"))
    assert foreign is not first
    brand.clock.advance(days=1)
    later = await brand.conversations.open(new(who, idempotency_key="k", fingerprint=b"3"))
    assert later is not first
    assert await brand.conversations.open(new(who, idempotency_key="k", fingerprint=b"3")) is later


async def test_one_open_conversation_where_the_account_wants_it(brand: Brand) -> None:
    who = consumer()
    first = await brand.conversations.open(new(who, one_open=True))
    assert await brand.conversations.open(new(who, one_open=True)) is first
    assert await brand.conversations.open(new(who)) is not first
    keyed = await brand.conversations.open(new(who, one_open=True, idempotency_key="k"))
    assert await brand.conversations.open(new(who, one_open=True, idempotency_key="k")) is keyed


async def test_a_conversation_in_its_survey_is_not_the_one_open_conversation(brand: Brand) -> None:
    who = consumer()
    first = (await brand.conversations.open(new(who, one_open=True))).conversation
    survey = Survey(DialogId("survey"), "app-1")
    await brand.conversations.change(
        ACCOUNT,
        first.conversation_id,
        lambda c, _tx: _async(
            rules.close_dialog(c, c.main.dialog_id, CloseReason.AGENT, brand.clock.now_ms(), survey=survey)
        ),
    )
    second = await brand.conversations.open(new(who, one_open=True))
    assert second.conversation.conversation_id != first.conversation_id
    assert await brand.conversations.open(new(who, one_open=True)) is second


async def test_only_the_first_conversation_of_a_consumer_is_its_first(brand: Brand) -> None:
    who = consumer()
    opened = [await brand.open(who) for _ in range(2)]
    assert [c.first_conversation for c in opened] == [True, False]


async def test_listeners_hear_of_every_commit_in_order_and_of_no_refusal(brand: Brand) -> None:
    heard: list[int] = []
    brand.conversations.on_change(lambda c: heard.append(c.version))
    opened = await brand.open()

    async def note(conversation: Conversation, tx: Transaction) -> Conversation:
        return rules.set_note(conversation, conversation.note + "x")

    async def nothing(conversation: Conversation, tx: Transaction) -> Conversation:
        return conversation

    async def refuse(conversation: Conversation, tx: Transaction) -> Conversation:
        raise ConversationNotFound

    await asyncio.gather(
        *(brand.conversations.change(ACCOUNT, opened.conversation_id, note) for _ in range(3))
    )
    await brand.conversations.change(ACCOUNT, opened.conversation_id, nothing)
    with pytest.raises(ConversationNotFound):
        await brand.conversations.change(ACCOUNT, opened.conversation_id, refuse)
    assert heard == [1, 2, 3, 4]
    assert (await brand.now(opened.conversation_id)).note == "xxx"
    assert (await cold(brand).view(ACCOUNT, opened.conversation_id)).conversation.version == 4


async def test_a_change_makes_appends_that_were_judged_before_it_stale(brand: Brand) -> None:
    opened = await brand.open()
    await brand.conversations.change(
        ACCOUNT, opened.conversation_id, lambda c, _tx: _async(rules.set_note(c, "n"))
    )
    assert (await publish(brand, opened, opened.consumer_id)).outcome.name == "STALE"
    now = await brand.now(opened.conversation_id)
    assert (await publish(brand, now, opened.consumer_id)).outcome.name == "APPENDED"


async def test_a_cold_view_knows_what_the_log_tells(brand: Brand) -> None:
    opened = await brand.open()
    agent = principal()
    await publish(brand, opened, opened.consumer_id)
    await publish(brand, opened, agent.id)
    await publish(brand, opened, opened.consumer_id, kind="accept", read_up_to=1)
    await publish(brand, opened, agent.id, audience="AGENTS_AND_MANAGERS")
    view = await cold(brand).view(ACCOUNT, opened.conversation_id)
    log = view.logs[DialogId(opened.conversation_id)]
    assert (log.last_sequence, log.last_content_sequence) == (3, 3)
    assert list(log.recent) == [
        (0, opened.consumer_id, False),
        (1, agent.id, False),
        (3, agent.id, True),
    ]
    assert log.read_up_to == {opened.consumer_id: 1}
    assert (log.last_content, log.last_public_content) == (3, 1)
    assert log.unread(opened.consumer_id, sees_private=False) == 0
    assert log.unread(agent.id, sees_private=True) == 1
    assert log.owed_since_ms == 0


async def test_a_last_public_content_behind_hundreds_of_private_ones_is_found(brand: Brand) -> None:
    opened = await brand.open()
    await publish(brand, opened, opened.consumer_id)
    for _ in range(501):
        await publish(brand, opened, "agent", audience="AGENTS_AND_MANAGERS")
    log = (await cold(brand).view(ACCOUNT, opened.conversation_id)).logs[DialogId(opened.conversation_id)]
    assert (log.last_content, log.last_public_content, len(log.recent)) == (501, 0, 200)


async def test_a_view_that_changed_while_it_was_read_is_read_again(brand: Brand) -> None:
    opened = await brand.open()
    conversations = cold(brand)
    reads = 0
    original = brand.database.read

    async def read(sql: str, *args: object) -> Any:
        nonlocal reads
        rows: list[Row] = list(await original(sql, *args))
        if "FROM dialogs" in sql and reads < 5:
            reads += 1
            entry = await publish(brand, opened, opened.consumer_id)
            conversations.views.touched(ACCOUNT, entry.conversation_id)
        return rows

    brand.database.read = read  # type: ignore[method-assign]
    view = await conversations.view(ACCOUNT, opened.conversation_id)
    log = view.logs[DialogId(opened.conversation_id)]
    assert reads == 3  # then it was read inside the queue of writes
    assert log.last_sequence == 2
    assert [sequence for sequence, _, _ in log.recent] == [0, 1, 2]


async def test_absent_and_forbidden_look_alike(brand: Brand) -> None:
    opened = await brand.open()
    for who, wanted in (
        (consumer(), opened.conversation_id),
        (principal(), opened.conversation_id),
        (principal("manager", AccountId("87654321")), opened.conversation_id),
        (principal("manager"), "no-such-conversation"),
    ):
        with pytest.raises(ConversationNotFound) as refusal:
            await brand.conversations.get_for(who, wanted)
        assert str(refusal.value) == "Conversation not found"
        with pytest.raises(ConversationNotFound):
            await brand.conversations.get_of_dialog_for(who, wanted)


async def test_an_agent_who_is_rung_may_look_at_what_it_is_offered(brand: Brand) -> None:
    agent = await brand.online()
    opened = await brand.open()
    with pytest.raises(ConversationNotFound):
        await brand.conversations.get_for(agent, opened.conversation_id)
    await brand.settle()
    await brand.conversations.get_for(agent, opened.conversation_id)


async def test_lists_are_newest_first_and_show_what_one_may_see(brand: Brand) -> None:
    who, agent, manager = consumer(), await brand.online(), principal("manager")
    held = await brand.held_by(agent, who)
    brand.clock.advance(seconds=1)
    other = await brand.open()
    brand.clock.advance(seconds=1)
    closed = await brand.open(who)
    await brand.conversations.change(
        ACCOUNT, closed.conversation_id, lambda c, _tx: _async(rules.close(c, CloseReason.SYSTEM, 1))
    )

    async def listed(by: Principal, **query: Any) -> list[str]:
        for conversations in (cold(brand), brand.conversations):
            views = await conversations.list_for(by, ConversationQuery(**query))
        return [view.conversation.conversation_id for view in views]

    ids = [closed.conversation_id, other.conversation_id, held.conversation_id]
    assert await listed(manager) == ids
    assert await listed(manager, limit=1) == ids[:1]
    assert await listed(who) == [ids[0], ids[2]]
    assert await listed(who, consumer_id=other.consumer_id) == []
    assert await listed(agent) == [ids[2]]
    assert await listed(manager, agent_ids=frozenset({agent.id})) == [ids[2]]
    assert await listed(manager, stages=frozenset({State.CLOSE})) == [ids[0]]
    assert await listed(manager, states=frozenset({State.OPEN}), consumer_id=who.id) == [ids[2]]
    assert await listed(manager, min_last_update_ms=other.created_at_ms) == ids[:2]
    assert await listed(manager, max_last_update_ms=held.created_at_ms) == [ids[2]]
    assert await listed(principal("manager", AccountId("87654321"))) == []
    brand.clock.advance(seconds=60)
    await publish(brand, held, who.id)
    assert (await listed_cold(brand, manager, brand.clock.now_ms())) == [ids[2]]


async def listed_cold(brand: Brand, who: Principal, since_ms: int) -> list[str]:
    views = await cold(brand).list_for(who, ConversationQuery(min_last_update_ms=since_ms))
    return [view.conversation.conversation_id for view in views]


async def test_hundreds_are_listed_in_batches(brand: Brand) -> None:
    manager = principal("manager")
    await asyncio.gather(*(brand.open() for _ in range(250)))
    assert len(await cold(brand).list_for(manager, ConversationQuery())) == 250


async def _async(conversation: Conversation) -> Conversation:
    return conversation
