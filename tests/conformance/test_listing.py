"""Lists of conversations on both databases: a filter holds for all of them, and then the newest are shown."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.backends.database.migrations import list_migrations
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.database.sqlite import WORDS
from talkwire.conversations import rules
from talkwire.conversations.model import (
    CloseReason,
    Conversation,
    ConversationQuery,
    NewConversation,
    State,
    Ttr,
    TtrType,
)
from talkwire.identity.model import Principal


async def opened(brand: Brand, ttr_seconds: int = 600) -> str:
    who = consumer()
    ttr = Ttr(TtrType.CUSTOM, ttr_seconds)
    view = await brand.conversations.open(
        NewConversation(account_id=ACCOUNT, consumer_id=who.id, ttr=ttr),
    )
    brand.clock.advance(seconds=1)
    return view.conversation.conversation_id


async def changed(brand: Brand, conversation_id: str, change: Any) -> None:
    async def decide(conversation: Conversation, _tx: Transaction) -> Conversation:
        after: Conversation = change(conversation)
        return after

    await brand.conversations.change(ACCOUNT, conversation_id, decide)


async def listed(brand: Brand, by: Principal, **query: Any) -> Sequence[str]:
    """The same from memory and from the database alone."""
    found = []
    for room in (brand, brand.restarted()):
        views = await room.conversations.list_for(by, ConversationQuery(**query))
        found.append([view.conversation.conversation_id for view in views])
    assert found[0] == found[1]
    return found[0]


async def test_what_is_overdue_longest_is_not_hidden_by_what_is_newer(any_database: Database) -> None:
    brand = Brand(any_database)
    manager = brand.agent("manager")
    overdue = [await opened(brand, 0) for _ in range(3)]
    for _ in range(5):
        await opened(brand, 3600)
    query = {"states": frozenset({State.OPEN}), "max_ettr_seconds": 60}
    assert await listed(brand, manager, **query, limit=5) == overdue[::-1]
    assert await listed(brand, manager, **query, limit=2) == [overdue[2], overdue[1]]


async def test_the_time_to_response_is_the_promised_one_or_the_manual_one(any_database: Database) -> None:
    brand = Brand(any_database)
    manager, now_ms = brand.agent("manager"), brand.clock.now_ms()
    soon, later, pushed, pulled, gone = [await opened(brand, s) for s in (30, 90, 30, 90, 30)]
    await changed(brand, pushed, partial(rules.set_manual_ettr, moment_ms=now_ms + 90_000))
    await changed(brand, pulled, partial(rules.set_manual_ettr, moment_ms=now_ms + 30_000))
    await changed(brand, gone, partial(rules.close, reason=CloseReason.AGENT, now_ms=now_ms))
    assert await listed(brand, manager, max_ettr_seconds=60) == [pulled, soon]
    await changed(brand, later, partial(rules.set_ttr, ttr=Ttr(TtrType.URGENT, 60)))
    await changed(brand, soon, partial(rules.set_manual_ettr, moment_ms=-5))
    assert await listed(brand, manager, max_ettr_seconds=60) == [pulled, later]


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63)])
async def test_seconds_beyond_all_moments_are_only_far(any_database: Database, seconds: int) -> None:
    brand = Brand(any_database)
    manager = brand.agent("manager")
    one = await opened(brand)
    assert await listed(brand, manager, max_ettr_seconds=seconds) == ([one] if seconds > 0 else [])


async def test_what_was_open_before_the_columns_came_is_found(any_database: Database) -> None:
    brand = Brand(any_database)
    manager, now_ms = brand.agent("manager"), brand.clock.now_ms()
    one, two, three = [await opened(brand, s) for s in (30, 90, 90)]
    await changed(brand, two, partial(rules.set_manual_ettr, moment_ms=now_ms + 30_000))
    for odd in ("\0", r"\u0000", r"\\" + "\0"):
        await changed(brand, one, lambda c, odd=odd: rules.set_note(c, c.note + odd))
    [filling] = [
        statement
        for migration in list_migrations(WORDS)
        if migration.name.endswith("ettr")
        for statement in migration.statements
        if statement.startswith("UPDATE")
    ]

    async def unit(tx: Transaction) -> None:
        await tx.execute(
            "UPDATE conversations SET ttr_ms = 0, manual_ettr = NULL WHERE account_id = $1", ACCOUNT
        )
        await tx.execute(filling)

    await any_database.write(unit)
    assert three not in await listed(brand, manager, max_ettr_seconds=60)
    assert await listed(brand, manager, max_ettr_seconds=60, limit=2) == [two, one]
