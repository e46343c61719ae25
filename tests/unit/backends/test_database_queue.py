import asyncio
import sys
from collections import deque
from threading import Thread
from typing import Any

import pytest

from talkwire.backends.database.port import Append, Outcome, Transaction
from talkwire.backends.database.queue import MOST_ENTRIES_PER_COMMIT, Entry, Work, WriteQueue, fail, taken
from talkwire.kernel.errors import Unavailable


def entry(settled: Any = lambda _: None) -> Append:
    return Append(
        account_id="a", conversation_id="d", dialog_id="d", version=1, event_id="e", kind="content", event=b"{}",
        originator_id="o", originator_role="CONSUMER", audience="ALL", at_ms=1, settled=settled, is_content=True,
    )  # fmt: skip


async def unit(tx: Transaction) -> str:
    return "done"


async def test_a_commit_starts_at_the_end_of_the_turn_in_which_the_first_entry_came() -> None:
    batches: list[list[Entry]] = []
    queue = WriteQueue(start=lambda: batches.append(queue.take()))
    for _ in range(3):
        queue.append(entry())
    assert batches == []
    await asyncio.sleep(0)
    assert [len(batch) for batch in batches] == [3]


async def test_nothing_is_started_while_a_commit_is_under_way() -> None:
    starts: list[int] = []
    queue = WriteQueue(start=lambda: starts.append(1))
    queue.append(entry())
    await asyncio.sleep(0)
    queue.append(entry())
    await asyncio.sleep(0)
    assert len(starts) == 1
    queue.settle(queue.take(), idle=True)
    queue.append(entry())
    await asyncio.sleep(0)
    assert len(starts) == 2


async def test_what_came_after_the_last_look_is_not_forgotten() -> None:
    starts: list[int] = []
    queue = WriteQueue(start=lambda: starts.append(1))
    queue.append(entry())
    await asyncio.sleep(0)
    batch = queue.take()
    queue.append(entry())  # the adapter has looked and found nothing more
    queue.settle(batch, idle=True)
    await asyncio.sleep(0)
    assert len(starts) == 2


async def test_a_batch_has_a_bound() -> None:
    queue = WriteQueue(start=lambda: None)
    for _ in range(MOST_ENTRIES_PER_COMMIT + 1):
        queue.append(entry())
    assert [len(queue.take()), len(queue.take()), len(queue.take())] == [MOST_ENTRIES_PER_COMMIT, 1, 0]


async def test_a_failed_batch_is_told_in_order_and_keeps_no_number() -> None:
    queue = WriteQueue(start=lambda: None)
    heard: list[str] = []
    numbered = entry(lambda e: heard.append(e.outcome.value))
    numbered.sequence, numbered.outcome = 5, Outcome.APPENDED
    queue.append(numbered)
    writing = asyncio.create_task(queue.write(unit, then=heard.append))
    await asyncio.sleep(0)
    batch = queue.take()
    fail(batch, Unavailable("The disk is gone."))
    queue.settle(batch, idle=True)
    with pytest.raises(Unavailable):
        await writing
    assert (heard, numbered.sequence) == (["unavailable"], -1)


async def test_closing_waits_for_what_was_handed_in() -> None:
    queue = WriteQueue(start=lambda: None)
    queue.append(entry())
    closing = asyncio.create_task(queue.close())
    await asyncio.sleep(0)
    assert not closing.done()
    queue.settle(queue.take(), idle=True)
    await closing
    late = entry()
    queue.append(late)
    assert late.outcome is Outcome.UNAVAILABLE


async def test_a_result_is_handed_to_the_callback_and_to_who_waits() -> None:
    queue = WriteQueue(start=lambda: None)
    heard: list[str] = []
    writing = asyncio.create_task(queue.write(unit, then=heard.append))
    await asyncio.sleep(0)
    (work,) = queue.take()
    assert isinstance(work, Work)
    work.result = "done"
    queue.settle([work], idle=True)
    assert heard == ["done"]
    assert await writing == "done"


def test_nothing_is_lost_between_who_adds_and_who_takes() -> None:
    waiting: deque[int] = deque()
    found: list[int] = []

    def add() -> None:
        for number in range(100_000):
            waiting.append(number)

    adding = Thread(target=add)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        adding.start()
        while adding.is_alive() or waiting:
            found += taken(waiting)
    finally:
        sys.setswitchinterval(interval)
    assert found == list(range(100_000))
