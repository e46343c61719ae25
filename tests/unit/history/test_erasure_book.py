"""The book of erasure requests: nothing is entered or crossed out without a record of it."""

import pytest

from talkwire.audit.errors import HeadMissing
from talkwire.audit.model import Act
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.history.erasure import Erasures
from talkwire.history.erasure_errors import ErasureFinal
from talkwire.history.erasure_model import ErasureTimes, RequestQuery, RequestState
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId
from unit.audit.keys import Keys

ACCOUNT = AccountId("1")


async def acts_in(database: SqliteDatabase) -> list[str]:
    rows = await database.read("SELECT act FROM audit_records ORDER BY number")
    return [row["act"] for row in rows]


async def test_a_request_and_its_record_are_one_commit(sqlite_database: SqliteDatabase) -> None:
    clock = MovableClock()
    erasures = Erasures(sqlite_database, clock, ErasureTimes(60, 20), Trail(sqlite_database, clock, Keys()))
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


async def test_a_cancelling_that_is_refused_leaves_no_record(sqlite_database: SqliteDatabase) -> None:
    clock = MovableClock()
    erasures = Erasures(sqlite_database, clock, ErasureTimes(60, 20), Trail(sqlite_database, clock, Keys()))
    made = await erasures.request(ACCOUNT, {"consumer": ["zoe"]}, "admin")
    await erasures.cancel(ACCOUNT, made.request_id, "admin")
    with pytest.raises(ErasureFinal):
        await erasures.cancel(ACCOUNT, made.request_id, "admin")
    assert await acts_in(sqlite_database) == [Act.ERASURE_REQUESTED, Act.ERASURE_CANCELLED]
