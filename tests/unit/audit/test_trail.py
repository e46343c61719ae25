"""The trail on both databases: what it records, and what verifying it finds."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from talkwire.audit import store
from talkwire.audit.errors import HeadMissing
from talkwire.audit.export import export, verify_lines
from talkwire.audit.model import Act, Entry, Head
from talkwire.audit.origin import ACTOR, ORIGIN
from talkwire.audit.rules import GENESIS, PERSONAL
from talkwire.audit.service import Trail
from talkwire.audit.verification import Report, verify
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.files.errors import FileNotFound
from talkwire.identity.keys import SigningKeys
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId
from unit.audit.keys import Keys

ACCOUNT = "12345678"
OTHER = "87654321"
CONSUMER = "0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5"
PATH = f"/v1/AUTH_async-images/{ACCOUNT}/{CONSUMER}_uuid_1.PNG"


@dataclass
class Brand:
    database: Database
    clock: MovableClock = field(default_factory=MovableClock)
    keys: Keys = field(default_factory=Keys)

    def __post_init__(self) -> None:
        self.trail = self.another()

    def another(self) -> Trail:
        """The same data, as another node would see it."""
        return Trail(self.database, self.clock, self.keys)

    async def verify(self, account_id: str = ACCOUNT) -> Report:
        found = await store.find_head(self.database, account_id)
        key = await self.keys.unseal(account_id, "audit head", found[2]) if found else None
        return await verify(self.database, account_id, key)

    async def tamper(self, sql: str, *args: object) -> None:
        async def unit(tx: Transaction) -> None:
            assert await tx.execute(sql, *args)

        await self.database.write(unit)

    async def found(self) -> list[tuple[int, str]]:
        return [tuple(finding) for finding in (await self.verify()).findings]  # type: ignore[misc]

    async def lines(self) -> list[bytes]:
        return [line async for line in export(self.database, ACCOUNT, self.trail.boxes, 0)]


@pytest.fixture
async def brand(any_database: Database) -> AsyncIterator[Brand]:
    origin, actor = ORIGIN.set("192.0.2.7"), ACTOR.set("")
    brand = Brand(any_database)
    yield brand
    await brand.trail.close()
    ORIGIN.reset(origin)
    ACTOR.reset(actor)


def slot(number: int = 1) -> Entry:
    return Entry(
        ACCOUNT, Act.SLOT_ISSUED, PATH, consumer_id=CONSUMER, detail={"bytes": number, "type": "PNG"}
    )


async def fill(brand: Brand, count: int = 9) -> None:
    for number in range(count):
        await brand.trail.record(slot(number))


async def test_what_is_recorded_is_numbered_and_chained(brand: Brand) -> None:
    await fill(brand)
    records = await store.list_records(brand.database, ACCOUNT, 0, 100)
    assert [record.number for record in records] == list(range(1, 10))
    report = await brand.verify()
    assert (report.is_whole, report.is_code_checked, report.records) == (True, True, 9)
    assert report.head == Head(9, records[-1].hash)


async def test_an_account_of_which_nothing_was_recorded_is_whole(brand: Brand) -> None:
    report = await brand.verify()
    assert report.is_whole
    assert report.head == GENESIS


async def test_what_is_recorded_at_once_by_many_is_one_chain_per_account(brand: Brand) -> None:
    others = [brand.trail, brand.another(), brand.another()]
    entries = [slot(), Entry(OTHER, Act.SETTING_CHANGED, "x")]
    await asyncio.gather(*(trail.record(*entries) for trail in others for _ in range(40)))
    for account_id in (ACCOUNT, OTHER):
        report = await brand.verify(account_id)
        assert report.is_whole
        assert report.records == 120


async def test_who_waits_no_more_takes_nobody_along(brand: Brand) -> None:
    waiting = [asyncio.create_task(brand.trail.record(slot(number))) for number in range(10)]
    await asyncio.sleep(0)
    waiting[3].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(task.cancelled() for task in waiting) == 1
    assert (await brand.verify()).is_whole


async def test_a_record_is_in_the_unit_that_does_the_act_or_neither_is(brand: Brand) -> None:
    sealed = await brand.trail.seal(slot())

    async def unit(tx: Transaction) -> None:
        await brand.trail.write(tx, sealed)
        raise LookupError

    with pytest.raises(LookupError):
        await brand.database.write(unit)
    report = await brand.verify()
    assert (report.is_whole, report.records) == (True, 0)


async def test_acts_that_share_a_commit_are_one_chain_and_a_refused_one_is_not_in_it(brand: Brand) -> None:
    async def act(number: int) -> None:
        async def unit(_tx: Transaction) -> None:
            if number % 5 == 3:
                raise LookupError

        await brand.trail.do(unit, slot(number), Entry(OTHER, Act.SETTING_CHANGED, str(number)))

    await brand.trail.record(
        slot(), Entry(OTHER, Act.SETTING_CHANGED, "first")
    )  # from here on nothing is read
    done = await asyncio.gather(*map(act, range(20)), return_exceptions=True)
    assert sum(isinstance(result, LookupError) for result in done) == 4
    for account_id in (ACCOUNT, OTHER):
        report = await brand.verify(account_id)
        assert (report.is_whole, report.records) == (True, 17)
    told = [record.draft.subject for record in await store.list_records(brand.database, OTHER, 1, 20)]
    assert told == [str(number) for number in range(20) if number % 5 != 3]


async def test_what_is_personal_stands_nowhere_in_the_clear(brand: Brand) -> None:
    await brand.trail.record(
        Entry(
            ACCOUNT,
            Act.REFUSED,
            PATH,
            consumer_id=CONSUMER,
            actor=CONSUMER,
            detail={"reason": f"too large for {CONSUMER}"},
        )
    )
    (record,) = await store.list_records(brand.database, ACCOUNT, 0, 10)
    assert CONSUMER not in repr(record)
    assert "192.0.2.7" not in repr(record)
    assert record.draft.subject == PATH.replace(CONSUMER, PERSONAL)
    opened = await brand.trail.boxes.open(ACCOUNT, record.draft.person, record.draft.box)
    assert opened is not None
    assert opened == (CONSUMER, CONSUMER, "192.0.2.7")


async def test_where_nobody_knows_who_it_was_the_address_is_personal_all_the_same(brand: Brand) -> None:
    await brand.trail.record(Entry(ACCOUNT, Act.SERVED, PATH, CONSUMER))
    (record,) = await store.list_records(brand.database, ACCOUNT, 0, 10)
    assert (record.draft.actor, record.draft.address) == ("", "")
    opened = await brand.trail.boxes.open(ACCOUNT, record.draft.person, record.draft.box)
    assert opened is not None
    assert (opened.actor, opened.address) == ("", "192.0.2.7")


async def test_an_agent_who_reads_a_consumers_file_is_named_in_the_clear(brand: Brand) -> None:
    ACTOR.set("agent-1")
    await brand.trail.record(Entry(ACCOUNT, Act.SERVED, PATH, consumer_id=CONSUMER))
    (record,) = await store.list_records(brand.database, ACCOUNT, 0, 10)
    assert (record.draft.actor, record.draft.address) == ("agent-1", "192.0.2.7")
    assert CONSUMER not in repr(record)


async def test_erasing_blanks_what_is_personal_and_the_chain_still_verifies(brand: Brand) -> None:
    await fill(brand, 3)
    brand.keys.destroy(ACCOUNT, CONSUMER)

    async def unit(tx: Transaction) -> None:
        await brand.trail.forget(tx, ACCOUNT, CONSUMER)

    await brand.database.write(unit)
    assert (await brand.verify()).is_whole
    lines = await brand.lines()
    assert verify_lines(lines).is_whole
    assert all(CONSUMER.encode() not in line for line in lines)
    assert lines[1].count(b'"personal":null') == 1


async def test_text_that_a_database_would_not_take_is_recorded_all_the_same(brand: Brand) -> None:
    await brand.trail.record(
        Entry(ACCOUNT, Act.REFUSED, "a\0b\ud800" + "x" * 9000, detail={"a": "\0", "b": 1.5})
    )
    assert (await brand.verify()).is_whole


async def test_one_changed_byte_is_found_in_every_column(brand: Brand) -> None:
    await fill(brand)
    for column, value in (
        ("at", 1), ("act", "served"), ("subject", "other"), ("actor", "x"), ("address", "y"),
        ("person", "z"), ("box", b"?"), ("detail", '{"bytes":4,"type":"PNF"}'), ("hash", bytes(32)),
    ):  # fmt: skip
        (before,) = await brand.database.read(f"SELECT {column} AS v FROM audit_records WHERE number = 5")
        sql = f"UPDATE audit_records SET {column} = $2 WHERE account_id = $1 AND number = 5"
        await brand.tamper(sql, ACCOUNT, value)
        assert (await brand.found())[0][0] == 5, column
        await brand.tamper(sql, ACCOUNT, before["v"])
    assert (await brand.verify()).is_whole


@pytest.mark.parametrize("number", [1, 5, 9])
async def test_a_removed_record_is_found(brand: Brand, number: int) -> None:
    await fill(brand)
    await brand.tamper("DELETE FROM audit_records WHERE account_id = $1 AND number = $2", ACCOUNT, number)
    assert number in [found for found, _ in await brand.found()]


async def test_records_in_another_order_are_found(brand: Brand) -> None:
    await fill(brand)
    for was, becomes in ((4, 100), (5, 4), (100, 5)):
        await brand.tamper("UPDATE audit_records SET number = $1 WHERE number = $2", becomes, was)
    assert [found for found, _ in await brand.found()] == [4, 5, 6]


async def test_a_record_put_in_is_found(brand: Brand) -> None:
    await fill(brand)
    await brand.tamper(
        "INSERT INTO audit_records (account_id, number, at, act, subject, actor, address, person, box, detail, hash)"
        " SELECT account_id, 10, at, act, subject, actor, address, person, box, detail, hash"
        " FROM audit_records WHERE number = 9"
    )
    assert {found for found, _ in await brand.found()} == {10}


async def test_a_cut_tail_is_found_even_if_the_head_is_moved_back(brand: Brand) -> None:
    await fill(brand)
    records = await store.list_records(brand.database, ACCOUNT, 0, 100)
    await brand.tamper("DELETE FROM audit_records WHERE number > 6")
    assert await brand.found()
    await brand.tamper("UPDATE audit_heads SET number = 6, hash = $1", records[5].hash)
    assert await brand.found() == [(6, "is named by a head that was not written by us")]


async def test_a_trail_whose_head_is_gone_is_found_and_not_written_on(brand: Brand) -> None:
    await fill(brand)
    await brand.tamper("DELETE FROM audit_heads")
    assert await brand.found()
    with pytest.raises(HeadMissing):
        await brand.trail.record(slot())


async def test_an_export_is_verified_without_us(brand: Brand) -> None:
    await fill(brand)
    lines = await brand.lines()
    report = verify_lines(lines)
    assert (report.is_whole, report.records, report.account_id) == (True, 9, ACCOUNT)
    assert report.head == (await brand.verify()).head


async def test_an_export_of_a_span_is_of_a_piece(brand: Brand) -> None:
    start_ms = brand.clock.now_ms()
    for number in range(9):
        await brand.trail.record(slot(number))
        brand.clock.advance(seconds=10)
    lines = [
        line
        async for line in export(
            brand.database, ACCOUNT, None, 0, from_ms=start_ms + 20_000, to_ms=start_ms + 50_000
        )
    ]
    report = verify_lines(lines)
    assert (report.is_whole, report.records, report.head.number) == (True, 3, 5)


async def test_whatever_is_done_to_an_export_is_found(brand: Brand) -> None:
    await fill(brand)
    lines = await brand.lines()
    damaged = {
        "a byte": [*lines[:5], lines[5].replace(b"PNG", b"PNF", 1), *lines[6:]],
        "a box": [*lines[:5], lines[5].replace(b'"box":"', b'"box":"AAAA'), *lines[6:]],
        "removed": [*lines[:5], *lines[6:]],
        "swapped": [*lines[:5], lines[6], lines[5], *lines[7:]],
        "doubled": [*lines[:5], lines[5], *lines[5:]],
        "cut": lines[:-1],
        "cut, with its end": [*lines[:-2], lines[-1]],
        "more": [*lines, lines[-2]],
    }
    for what, changed in damaged.items():
        assert not verify_lines(changed).is_whole, what


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"hello\n", b'{"line":"end","number":1,"hash":"x","records":1}']
)
def test_a_file_that_is_no_export_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"line|begin"):
        verify_lines(text.splitlines())


async def test_a_commit_that_failed_is_told_to_who_waited_and_holds_nobody_up_later(brand: Brand) -> None:
    await brand.trail.record(Entry(ACCOUNT, Act.SLOT_ISSUED, PATH))

    async def hide(tx: Transaction) -> None:
        await tx.execute("UPDATE audit_heads SET account_id = 'elsewhere' WHERE account_id = $1", ACCOUNT)

    async def show(tx: Transaction) -> None:
        await tx.execute("UPDATE audit_heads SET account_id = $1 WHERE account_id = 'elsewhere'", ACCOUNT)

    await brand.database.write(hide)
    lost = [brand.trail.record(Entry(ACCOUNT, Act.SLOT_ISSUED, PATH)) for _ in range(3)]
    assert {type(one) for one in await asyncio.gather(*lost, return_exceptions=True)} == {HeadMissing}
    await brand.database.write(show)
    await brand.trail.record(Entry(ACCOUNT, Act.SERVED, PATH))
    assert await brand.found() == []


async def test_who_goes_away_takes_nobodys_record_along(brand: Brand) -> None:
    await brand.trail.record(Entry(ACCOUNT, Act.SLOT_ISSUED, PATH))
    gone = asyncio.create_task(brand.trail.record(Entry(ACCOUNT, Act.SLOT_ISSUED, PATH)))
    await asyncio.sleep(0)
    staying = asyncio.create_task(brand.trail.record(Entry(ACCOUNT, Act.SLOT_ISSUED, PATH)))
    gone.cancel()
    await staying
    assert len(await brand.lines()) >= 3
    assert await brand.found() == []


async def test_a_key_that_we_make_by_ourselves_is_nobodys_act(sqlite_database: SqliteDatabase) -> None:
    clock = MovableClock()
    signing = SigningKeys(sqlite_database, clock, acts=Trail(sqlite_database, clock, Keys()))
    token = ORIGIN.set("192.0.2.1")  # of whoever signs up first
    await signing.sign(AccountId("1"), {})
    ORIGIN.reset(token)
    signing.close()
    (made,) = [record.draft for record in await store.list_records(sqlite_database, "1", 0, 10)]
    assert (made.act, made.actor, made.address) == ("key rotated", "", "")


def refused(path: str) -> Entry:
    return Entry(
        ACCOUNT, Act.REFUSED, "download URL", CONSUMER, actor=CONSUMER, detail={"path": path, "reason": "x"}
    )


async def told(brand: Brand) -> list[dict[str, object]]:
    """The details of all records."""
    records = await store.list_records(brand.database, ACCOUNT, 0, 1000)
    return [json.loads(record.draft.detail) for record in records]


async def test_a_refused_nonsense_hides_no_refused_file(brand: Brand) -> None:
    for path in ("no path of ours", *(f"/v1/{number}" for number in range(5))):
        await brand.trail.refuse(refused(path), FileNotFound())
    assert [one["path"] for one in await told(brand)] == ["no path of ours", *(f"/v1/{n}" for n in range(5))]


async def test_what_was_held_back_is_told_when_the_minute_is_over(brand: Brand) -> None:
    for _ in range(4):
        await brand.trail.refuse(refused("/v1/1"), FileNotFound())
    await brand.trail.tell_refusals()
    assert len(await told(brand)) == 1
    brand.clock.advance(seconds=60)
    ORIGIN.set("192.0.2.99")  # whoever is asking when the job runs
    await brand.trail.tell_refusals()
    await brand.trail.tell_refusals()
    assert [one.get("times") for one in await told(brand)] == [None, 3]
    record = (await store.list_records(brand.database, ACCOUNT, 1, 1))[0].draft
    opened = await brand.trail.boxes.open(ACCOUNT, record.person, record.box)
    assert opened == (CONSUMER, CONSUMER, "192.0.2.7")


async def test_what_was_held_back_is_told_at_a_stop(brand: Brand) -> None:
    for path in ("/v1/1", "/v1/1", "/v1/2", "/v1/2", "/v1/2"):
        await brand.trail.refuse(refused(path), FileNotFound())
    await brand.trail.close()
    assert [(one["path"], one.get("times")) for one in (await told(brand))[2:]] == [
        ("/v1/1", 1),
        ("/v1/2", 2),
    ]
    assert await brand.found() == []


async def test_refusals_that_cannot_be_recorded_are_counted_and_told_later(brand: Brand) -> None:
    await brand.trail.record(slot())

    async def hide(tx: Transaction) -> None:
        await tx.execute("UPDATE audit_heads SET account_id = 'elsewhere' WHERE account_id = $1", ACCOUNT)

    async def show(tx: Transaction) -> None:
        await tx.execute("UPDATE audit_heads SET account_id = $1 WHERE account_id = 'elsewhere'", ACCOUNT)

    await brand.database.write(hide)
    with pytest.raises(HeadMissing):
        await brand.trail.refuse(refused("/v1/1"), FileNotFound())
    await brand.trail.refuse(refused("/v1/1"), FileNotFound())
    brand.clock.advance(seconds=60)
    with pytest.raises(HeadMissing):
        await brand.trail.tell_refusals()
    await brand.database.write(show)
    await brand.trail.tell_refusals()
    assert (await told(brand))[1:] == [
        {**refused("/v1/1").detail, "reason": "FileNotFound", "says": str(FileNotFound()), "times": 2}
    ]
