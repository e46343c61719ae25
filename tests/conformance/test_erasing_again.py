"""An erasure that was broken off, or whose data was restored, is carried through; and nothing else is."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from erasure_rooms import Forgetting, comes_again, forgetting_in, state_of
from routing_rooms import ACCOUNT, consumer
from talkwire.backends.database.port import Transaction
from talkwire.history import erasure_store as store
from talkwire.history.erasure_model import MASK, ErasureTimes, RequestState
from talkwire.history.ledger import entry_of_cancelling
from talkwire.history.receipts import keys_in, verify
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.errors import NotFound
from talkwire.vault.errors import KeyDestroyed


@pytest.mark.parametrize("step", ["keys", "objects", "rows", "the rest"])
async def test_whoever_dies_on_the_way_goes_on_where_it_was(tmp_path: Path, step: str) -> None:
    clock = MovableClock()
    who = consumer().id
    async with forgetting_in(tmp_path, clock) as rooms:
        mine = await rooms.conversation(who, "a")
        paths = [await rooms.shelf.put(who, who, [mine.conversation_id]) for _ in range(3)]
        rooms.shelf.dies_before = step
        request_id = await rooms.run(consumer=[who])
        assert await state_of(rooms, request_id) is RequestState.IN_PROGRESS
        with pytest.raises(NotFound):
            await rooms.erasures.get_receipt(ACCOUNT, request_id)
    async with forgetting_in(tmp_path, clock) as rooms:
        assert await rooms.runs.replay() == 1
        await rooms.runs.carry_out_due()
        assert await state_of(rooms, request_id) is RequestState.DONE
        assert await rooms.texts(mine.conversation_id) == [MASK]
        assert not list(rooms.shelf.folder.iterdir())
        receipt = json.loads((await rooms.erasures.get_receipt(ACCOUNT, request_id)).receipt)["receipt"]
        assert sorted(one["id"] for one in receipt["erased"]["files"]) == sorted(paths)
        assert {one["sha256"] for one in receipt["erased"]["files"]} == {"ab"}
        assert await rooms.runs.replay() == 0


async def test_who_takes_up_a_broken_run_of_another_waits_its_turn(forgetting: Forgetting) -> None:
    who = consumer().id
    await forgetting.shelf.put(who, who)
    forgetting.shelf.dies_before = "rows"
    request_id = await forgetting.run(consumer=[who])
    forgetting.shelf.dies_before = ""
    await forgetting.runs.carry_out_due()
    assert await state_of(forgetting, request_id) is RequestState.IN_PROGRESS
    forgetting.clock.advance(seconds=60)
    await forgetting.runs.carry_out_due()
    assert await state_of(forgetting, request_id) is RequestState.DONE


async def test_whoever_comes_again_after_a_run_that_was_tried_twice_is_not_erased_at_the_next_start(
    forgetting: Forgetting,
) -> None:
    """The first try's entry in the ledger is done with as well, though the second took more in hand."""
    who = consumer().id
    await comes_again(forgetting, who, "my name is Ada", closed=True)
    forgetting.shelf.dies_before = "objects"
    request_id = await forgetting.run(consumer=[who])
    await comes_again(forgetting, who, "and my street", closed=True)
    forgetting.shelf.dies_before = ""
    forgetting.clock.advance(seconds=60)
    await forgetting.runs.carry_out_due()
    assert await state_of(forgetting, request_id) is RequestState.DONE
    conversation_id, path = await comes_again(forgetting, who, "I am back", closed=True)
    assert await forgetting.runs.replay() == 0
    assert await forgetting.opens(path)
    assert await forgetting.texts(conversation_id) == ["I am back"]
    assert await forgetting.database.read("SELECT 1 FROM consumers WHERE consumer_id = $1", who)


async def test_a_backup_taken_in_the_middle_is_carried_through_and_says_the_same(tmp_path: Path) -> None:
    clock, who = MovableClock(), consumer().id

    async with forgetting_in(tmp_path, clock) as rooms:
        conversation_id, path = await comes_again(rooms, who, "my name is Ada", closed=True)

        async def halfway() -> None:
            await asyncio.to_thread(backup_of, tmp_path)

        rooms.shelf.meanwhile = halfway
        request_id = await rooms.run(consumer=[who])
        document = (await rooms.erasures.get_receipt(ACCOUNT, request_id)).receipt
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "halfway").rename(tmp_path / "data")
    async with forgetting_in(tmp_path, clock) as rooms:
        assert await state_of(rooms, request_id) is RequestState.IN_PROGRESS
        assert await rooms.runs.replay() == 2
        assert await state_of(rooms, request_id) is RequestState.DONE
        assert (await rooms.erasures.get_receipt(ACCOUNT, request_id)).receipt == document
        assert await rooms.texts(conversation_id) == [MASK]
        assert not await rooms.opens(path)
        assert not list(rooms.shelf.folder.iterdir())


def backup_of(folder: Path) -> None:
    """The data as of one moment, as `talkwire backup` copies it."""
    with closing(sqlite3.connect(folder / "data" / "talkwire.db")) as now:
        (folder / "halfway").mkdir(exist_ok=True)
        with closing(sqlite3.connect(folder / "halfway" / "talkwire.db")) as copy:
            now.backup(copy)
    shutil.copytree(folder / "data" / "objects", folder / "halfway" / "objects", dirs_exist_ok=True)


async def test_older_data_with_todays_keys_forgets_again_before_it_opens(tmp_path: Path) -> None:
    clock = MovableClock()
    who = consumer().id
    async with forgetting_in(tmp_path, clock) as rooms:
        mine = await rooms.conversation(who, "my name is Ada")
        still_open = await rooms.conversation(who, "closed later", closed=False)
        picture = await rooms.shelf.put(who, who, [mine.conversation_id])
    shutil.copytree(tmp_path / "data", tmp_path / "yesterday")
    async with forgetting_in(tmp_path, clock) as rooms:
        await rooms.close(still_open.conversation_id)
        request_id = await rooms.run(consumer=[who])
        receipt = (await rooms.erasures.get_receipt(ACCOUNT, request_id)).receipt
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "yesterday").rename(tmp_path / "data")
    async with forgetting_in(tmp_path, clock) as rooms:
        assert await rooms.texts(mine.conversation_id) == ["my name is Ada"]
        with pytest.raises(KeyDestroyed):
            await rooms.opens(picture)
        assert await rooms.runs.replay() == 2
        assert await rooms.texts(mine.conversation_id) == [MASK]
        assert await rooms.texts(still_open.conversation_id) == [MASK]
        assert not await rooms.opens(picture)
        assert not list(rooms.shelf.folder.iterdir())
        assert await state_of(rooms, request_id) is RequestState.DONE
        assert (await rooms.erasures.get_receipt(ACCOUNT, request_id)).receipt == receipt
        published = json.dumps(await rooms.receipt_keys.published(ACCOUNT)).encode()
        assert verify(receipt.encode(), keys_in(published)).is_known_key
        assert await rooms.runs.replay() == 0


async def test_older_data_does_not_carry_out_what_was_cancelled_since(tmp_path: Path) -> None:
    clock, who = MovableClock(), consumer().id
    async with forgetting_in(tmp_path, clock) as rooms:
        rooms.erasures._times = ErasureTimes(60, 20)
        mine = await rooms.conversation(who, "my name is Ada")
        request_id = await rooms.run(consumer=[who])
    shutil.copytree(tmp_path / "data", tmp_path / "yesterday")
    async with forgetting_in(tmp_path, clock) as rooms:
        rooms.erasures._times = ErasureTimes(60, 20)
        later_id = await rooms.run(consumer=[who])
        for one in (request_id, later_id):
            await rooms.erasures.cancel(ACCOUNT, one, "admin@brand")
        assert await rooms.runs.replay() == 0
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "yesterday").rename(tmp_path / "data")
    clock.advance(seconds=61)
    async with forgetting_in(tmp_path, clock) as rooms:
        assert await rooms.runs.replay() == 2
        await rooms.runs.carry_out_due()
        assert await rooms.texts(mine.conversation_id) == ["my name is Ada"]
        for one in (request_id, later_id):
            request = await rooms.erasures.get(ACCOUNT, one)
            assert (request.state, request.cancelled_by) == (RequestState.CANCELED, "admin@brand")
        assert await rooms.runs.replay() == 0


async def test_a_cancelling_that_an_earlier_version_did_not_note_is_noted_at_the_start(
    forgetting: Forgetting,
) -> None:
    forgetting.erasures._times = ErasureTimes(60, 20)
    request_id = await forgetting.run(consumer=["nobody"])

    async def as_before(tx: Transaction) -> None:
        await store.cancel(tx, ACCOUNT, request_id, "admin", 1)

    await forgetting.database.write(as_before)
    await forgetting.runs.replay()
    (entry,) = await forgetting.ledger.list_entries()
    assert (entry.request.request_id, entry.is_cancellation) == (request_id, True)
    assert await forgetting.runs.replay() == 0
    assert await state_of(forgetting, request_id) is RequestState.CANCELED


async def test_what_was_begun_is_not_cancelled_by_an_entry_of_the_ledger(forgetting: Forgetting) -> None:
    """Such an entry is nobody's who keeps our rules: what is half erased is erased."""
    request_id = await forgetting.run(consumer=["nobody"])
    done = await forgetting.erasures.get(ACCOUNT, request_id)
    cancelled = msgspec.structs.replace(done, state=RequestState.CANCELED, cancelled_at_ms=1)
    await forgetting.ledger.note(entry_of_cancelling(cancelled))
    await forgetting.runs.replay()
    assert await state_of(forgetting, request_id) is RequestState.DONE
