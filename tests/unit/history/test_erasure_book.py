"""The book of erasure requests: nothing is entered or crossed out without a record of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keys import opened_keys
from talkwire.audit.errors import HeadMissing
from talkwire.audit.model import Act
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.history.erasure import Erasures
from talkwire.history.erasure_errors import ErasureFinal
from talkwire.history.erasure_model import ErasureTimes, LedgerEntry, RequestQuery, RequestState
from talkwire.history.ledger import Ledger
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId
from unit.audit.keys import Keys

ACCOUNT = AccountId("1")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    async with opened_keys("sqlite", str(folder)) as key_store:
        yield Ledger(key_store)


async def acts_in(database: SqliteDatabase) -> list[str]:
    rows = await database.read("SELECT act FROM audit_records ORDER BY number")
    return [row["act"] for row in rows]


async def test_a_request_and_its_record_are_one_commit(
    sqlite_database: SqliteDatabase, ledger: Ledger
) -> None:
    clock = MovableClock()
    trail = Trail(sqlite_database, clock, Keys())
    erasures = Erasures(sqlite_database, clock, ErasureTimes(60, 20), ledger, trail)
    made = await erasures.request(ACCOUNT, {"consumer": ["zoe"]}, "admin")
    assert await acts_in(sqlite_database) == [Act.ERASURE_REQUESTED]

    async def tamper(tx: Transaction) -> None:
        await tx.execute("DELETE FROM audit_heads WHERE account_id = '1'")

    await sqlite_database.write(tamper)
    with pytest.raises(HeadMissing):
        await erasures.request(ACCOUNT, {"consumer": ["ann"]}, "admin")
    with pytest.raises(HeadMissing):
        await erasures.cancel(ACCOUNT, made.request_id, "admin")
    listed = await erasures.list_requests(ACCOUNT, RequestQuery())
    assert [(one.request_id, one.state) for one in listed] == [(made.request_id, RequestState.NOT_STARTED)]


async def test_a_cancelling_that_is_refused_leaves_no_record(
    sqlite_database: SqliteDatabase, ledger: Ledger
) -> None:
    clock = MovableClock()
    trail = Trail(sqlite_database, clock, Keys())
    erasures = Erasures(sqlite_database, clock, ErasureTimes(60, 20), ledger, trail)
    made = await erasures.request(ACCOUNT, {"consumer": ["zoe"]}, "admin")
    await erasures.cancel(ACCOUNT, made.request_id, "admin")
    with pytest.raises(ErasureFinal):
        await erasures.cancel(ACCOUNT, made.request_id, "admin")
    assert await acts_in(sqlite_database) == [Act.ERASURE_REQUESTED, Act.ERASURE_CANCELLED]


async def test_a_cancelling_is_in_the_ledger_when_it_is_answered_and_asking_again_tells_it(
    sqlite_database: SqliteDatabase, ledger: Ledger
) -> None:
    class Away(Ledger):
        async def note(self, entry: LedgerEntry) -> None:
            raise Unavailable("the key store is away")

    async def noted() -> list[int]:
        return [one.request.request_id for one in await ledger.list_entries() if one.is_cancellation]

    clock, times = MovableClock(), ErasureTimes(60, 20)
    erasures = Erasures(sqlite_database, clock, times, ledger)
    first = await erasures.request(ACCOUNT, {"consumer": ["zoe"]}, "admin")
    second = await erasures.request(ACCOUNT, {"consumer": ["ann"]}, "admin")
    await erasures.cancel(ACCOUNT, first.request_id, "admin")
    assert await noted() == [first.request_id]
    with pytest.raises(Unavailable):
        await Erasures(sqlite_database, clock, times, Away(None)).cancel(ACCOUNT, second.request_id, "admin")  # type: ignore[arg-type]
    assert await noted() == [first.request_id]
    with pytest.raises(ErasureFinal):
        await erasures.cancel(ACCOUNT, second.request_id, "admin")
    assert set(await noted()) == {first.request_id, second.request_id}
