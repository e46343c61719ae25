"""The list of persons says whose records they are, or verifying says that it does not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from talkwire.audit import store
from talkwire.audit.model import Act, Entry, Opened
from talkwire.audit.origin import ORIGIN
from talkwire.audit.service import Trail
from talkwire.audit.verification import verify
from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.clock import MovableClock
from unit.audit.keys import Keys

ACCOUNT = "12345678"


@dataclass
class Brand:
    database: Database
    clock: MovableClock = field(default_factory=MovableClock)
    keys: Keys = field(default_factory=Keys)

    def __post_init__(self) -> None:
        self.trail = self.node()

    def node(self) -> Trail:
        return Trail(self.database, self.clock, self.keys)

    async def write(self, sql: str, *args: object) -> None:
        async def unit(tx: Transaction) -> None:
            assert await tx.execute(sql, *args)

        await self.database.write(unit)

    async def forget(self, consumer_id: str) -> None:
        async def unit(tx: Transaction) -> None:
            await self.trail.forget(tx, ACCOUNT, consumer_id)

        self.keys.destroy(ACCOUNT, consumer_id)
        await self.database.write(unit)

    async def found(self) -> list[tuple[int, str]]:
        report = await verify(self.database, ACCOUNT, owners=self.keys)
        assert report.are_persons_checked
        return [(one.number, one.what) for one in report.findings]


@pytest.fixture
async def brand(any_database: Database) -> AsyncIterator[Brand]:
    """Records 1 to 4, of anna, bert, anna and bert."""
    token = ORIGIN.set("192.0.2.7")
    brand = Brand(any_database)
    for consumer_id in ("anna", "bert") * 2:
        await brand.trail.record(served(consumer_id))
    yield brand
    await brand.trail.close()
    ORIGIN.reset(token)


def served(consumer_id: str) -> Entry:
    return Entry(ACCOUNT, Act.SERVED, "a path", consumer_id, actor=consumer_id)


ELSE = "and others name a person whom the list of persons takes for somebody else"
NOBODY = "and others name a person who is not in the list of persons, and was not erased"
BY_ANNA = " WHERE account_id = $1 AND consumer_id = 'anna'"


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE audit_persons SET person = 'x' || person" + BY_ANNA, [(1, NOBODY)]),
        ("UPDATE audit_persons SET consumer_id = 'annb'" + BY_ANNA, [(1, ELSE)]),
        ("UPDATE audit_persons SET account_id = '1'" + BY_ANNA, [(1, NOBODY)]),
        ("DELETE FROM audit_persons" + BY_ANNA, [(1, NOBODY)]),
        ("DELETE FROM audit_persons WHERE account_id = $1", [(1, NOBODY), (2, NOBODY)]),
        (
            "UPDATE audit_persons SET consumer_id = 'x' || consumer_id WHERE account_id = $1",
            [(1, ELSE), (2, ELSE)],
        ),
        (
            "INSERT INTO audit_persons (account_id, consumer_id, person)"
            " SELECT account_id, 'mallory', person FROM audit_persons" + BY_ANNA,
            [(1, ELSE)],
        ),
    ],
)
async def test_whatever_is_done_to_the_list_of_persons_is_found(
    brand: Brand, sql: str, found: list[tuple[int, str]]
) -> None:
    assert await brand.found() == []
    await brand.write(sql, ACCOUNT)
    assert await brand.found() == found


async def test_who_is_named_again_after_a_row_was_taken_out_hides_nothing(brand: Brand) -> None:
    await brand.write("DELETE FROM audit_persons" + BY_ANNA, ACCOUNT)
    await brand.node().record(served("anna"))
    assert await brand.found() == [(1, NOBODY)]


async def test_who_was_erased_is_missed_by_nobody(brand: Brand) -> None:
    brand.keys.destroy(ACCOUNT, "bert")  # an erasure that was broken off
    assert await brand.found() == []
    await brand.forget("anna")
    assert await brand.found() == []
    await brand.trail.record(served("anna"))  # back again, and somebody new
    assert await brand.found() == []
    persons = [one.draft.person for one in await store.list_records(brand.database, ACCOUNT, 0, 9)]
    assert len(set(persons)) == 3


async def test_who_comes_back_is_somebody_new_on_a_node_that_did_not_erase(brand: Brand) -> None:
    other = brand.node()
    await other.record(served("anna"))
    brand.clock.advance(seconds=61)
    await brand.forget("anna")
    await brand.trail.record(served("anna"))
    await other.record(served("anna"))
    assert await brand.found() == []
    before, *back = [one.draft for one in await store.list_records(brand.database, ACCOUNT, 4, 9)]
    assert (back[0].person == back[1].person, back[0].person != before.person) == (True, True)
    opened = await other.boxes.open(ACCOUNT, back[1].person, back[1].box)
    assert opened == Opened("anna", "anna", "192.0.2.7")
