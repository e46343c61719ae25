"""What is kept of deliveries, on both databases."""

import pytest
from msgspec.structs import replace

from talkwire.backends.database.port import Database, Transaction
from talkwire.connectors import dead_letters_store
from talkwire.connectors import deliveries_store as store
from talkwire.connectors.deliveries import Deliveries, jobs
from talkwire.connectors.delivery_model import (
    Cursor,
    DeadLetter,
    Delivery,
    Endpoint,
    EndpointState,
    Health,
    Retry,
)
from talkwire.connectors.errors import DeadLetterNotFound, EndpointGone
from talkwire.connectors.model import EventKey
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId

BRAND = AccountId("12345678")
ENDPOINT = Endpoint(
    account_id=BRAND, endpoint_id="e1", client_id="a1", url="https://c.example/", event_keys=("x", "y"), since_ms=5
)  # fmt: skip
DELIVERY = Delivery(
    delivery_id="c1.0", event_key=EventKey.CONTENT, conversation_id="c1", dialog_id="c1", sequence=0, event_at_ms=7
)  # fmt: skip


async def put(database: Database, *endpoints: Endpoint) -> None:
    async def unit(tx: Transaction) -> None:
        for endpoint in endpoints:
            await store.put_endpoint(tx, endpoint)

    await database.write(unit)


async def claim(database: Database, holder: str, now_ms: int) -> bool:
    async def unit(tx: Transaction) -> bool:
        return await store.claim(tx, BRAND, "e1", holder, now_ms, now_ms + 100) is not None

    return await database.write(unit)


async def test_a_lease_is_held_by_one_until_it_ends(any_database: Database) -> None:
    await put(any_database, ENDPOINT)
    assert await claim(any_database, "one", 1000)
    assert not await claim(any_database, "two", 1099)
    assert await claim(any_database, "one", 1099)
    assert not await claim(any_database, "two", 1150)
    assert await claim(any_database, "two", 1199)
    assert not await claim(any_database, "one", 1200)


async def test_a_lease_that_was_given_back_is_free(any_database: Database) -> None:
    await put(any_database, ENDPOINT)
    assert await claim(any_database, "one", 1000)

    async def unit(tx: Transaction) -> None:
        await store.release(tx, BRAND, "e1", "one")

    await any_database.write(unit)
    assert await claim(any_database, "two", 1001)


async def test_a_cursor_never_moves_back(any_database: Database) -> None:
    cursor = Cursor(conversation_id="c1", told_version=3, positions={"c1": 9, "other": 2})
    late = replace(cursor, positions={"c1": 8, "other": 2})

    async def unit(tx: Transaction) -> None:
        await store.put_cursors(tx, BRAND, "e1", [cursor])
        await store.put_cursors(tx, BRAND, "e1", [late])

    await any_database.write(unit)
    assert await store.find_cursor(any_database, BRAND, "e1", "c1") == cursor
    assert await store.find_cursor(any_database, BRAND, "e2", "c1") is None


async def test_what_is_configured_anew_leaves_the_health_alone(any_database: Database) -> None:
    health = Health(EndpointState.FAILED, 9, frozenset(), 3, 11, "answered 500")

    async def unit(tx: Transaction) -> list[Endpoint]:
        await store.put_endpoint(tx, ENDPOINT)
        await store.put_health(tx, BRAND, "e1", health)
        await store.put_endpoint(tx, replace(ENDPOINT, url="https://d.example/"))
        return await store.lock_app(tx, BRAND, "a1")

    [endpoint] = await any_database.write(unit)
    assert endpoint.url == "https://d.example/"
    [row] = await store.endpoints_of(any_database, BRAND, "a1")
    assert store.health_of(row) == health


async def test_retries_are_found_when_they_are_due(any_database: Database) -> None:
    retry = Retry(DELIVERY, 1, 1000, "answered 500")

    async def unit(tx: Transaction) -> None:
        await store.put_retries(tx, BRAND, "e1", [retry])

    await any_database.write(unit)
    assert await store.due_retries(any_database, ENDPOINT, 999, 10) == []
    assert await store.due_retries(any_database, ENDPOINT, 1000, 10) == [retry]


async def test_a_dead_letter_is_seen_replayed_dropped_and_forgotten(any_database: Database) -> None:
    clock = MovableClock()
    deliveries = Deliveries(any_database, clock)
    other = replace(DELIVERY, delivery_id="c1.1", sequence=1)

    async def unit(tx: Transaction) -> None:
        await store.put_endpoint(tx, replace(ENDPOINT, event_keys=(EventKey.CONTENT,)))
        dead = [
            DeadLetter(one, "retries used up", 4, "answered 500", clock.now_ms()) for one in (DELIVERY, other)
        ]
        await dead_letters_store.put_dead(tx, ENDPOINT, dead)
        await dead_letters_store.put_dead(tx, ENDPOINT, dead)

    await any_database.write(unit)
    assert [one.delivery for one in await deliveries.list_dead(BRAND, "a1")] == [DELIVERY, other]
    assert await deliveries.list_dead(BRAND, "a2") == []
    assert await deliveries.list_dead(AccountId("99999999")) == []
    await deliveries.replay(BRAND, "c1.0")
    [retry] = await store.due_retries(any_database, ENDPOINT, clock.now_ms(), 10)
    assert (retry.delivery, retry.attempts) == (DELIVERY, 0)
    with pytest.raises(DeadLetterNotFound):
        await deliveries.replay(BRAND, "c1.0")
    [report] = await deliveries.list_endpoints(BRAND)
    assert (report.waiting, report.retrying, report.dead) == (0, 1, 1)
    [purge] = jobs(any_database, clock, dead_letter_days=30)
    await purge.run()
    assert len(await deliveries.list_dead(BRAND)) == 1
    clock.advance(days=30, seconds=1)
    await purge.run()
    assert await deliveries.list_dead(BRAND) == []
    with pytest.raises(DeadLetterNotFound):
        await deliveries.drop(BRAND, "c1.1")


async def bury(database: Database, endpoint: Endpoint, *deliveries: Delivery, died_at_ms: int = 7) -> None:
    async def unit(tx: Transaction) -> None:
        await dead_letters_store.put_dead(
            tx,
            endpoint,
            [DeadLetter(one, "retries used up", 4, "answered 500", died_at_ms) for one in deliveries],
        )

    await database.write(unit)


async def test_what_the_endpoint_is_told_no_more_cannot_be_replayed_and_stays_listed(
    any_database: Database,
) -> None:
    deliveries = Deliveries(any_database, MovableClock())
    told = replace(DELIVERY, event_key="x")
    await put(any_database, ENDPOINT)
    await bury(any_database, ENDPOINT, DELIVERY, replace(told, delivery_id="c1.1"))
    with pytest.raises(EndpointGone):
        await deliveries.replay(BRAND, DELIVERY.delivery_id)
    await deliveries.replay(BRAND, "c1.1")
    assert [one.delivery for one in await deliveries.list_dead(BRAND)] == [DELIVERY]


async def test_all_are_replayed_however_many_but_for_those_that_cannot_be(any_database: Database) -> None:
    clock = MovableClock()
    deliveries = Deliveries(any_database, clock)
    moved = replace(ENDPOINT, endpoint_id="e2", client_id="a2")
    gone = replace(ENDPOINT, endpoint_id="e3")
    many = [replace(DELIVERY, delivery_id=f"c1.{n}", event_key="x", sequence=n) for n in range(1_203)]
    await put(any_database, ENDPOINT, moved)
    await bury(any_database, ENDPOINT, *many, replace(DELIVERY, delivery_id="c2.0"))
    await bury(any_database, moved, many[0])
    await bury(any_database, gone, many[0])
    assert await deliveries.replay_all(AccountId("99999999")) == 0
    assert await deliveries.replay_all(BRAND, "a2") == 1
    assert await deliveries.replay_all(BRAND) == 1_203
    assert len(await store.due_retries(any_database, ENDPOINT, clock.now_ms(), 5_000)) == 1_203
    left = {(one.endpoint_id, one.delivery.delivery_id) for one in await deliveries.list_dead(BRAND)}
    assert left == {("e1", "c2.0"), ("e3", "c1.0")}
