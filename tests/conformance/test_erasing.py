"""Somebody is forgotten, on each database: what goes, what stays, in which order, and after how many falls."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from erasure_rooms import Forgetting, comes_again, forgetting_in, receipt_of, state_of
from routing_rooms import ACCOUNT, consumer
from talkwire.audit.model import Act, Draft, Entry, Opened
from talkwire.audit.origin import ORIGIN
from talkwire.audit.service import Trail
from talkwire.audit.store import list_records
from talkwire.backends.database.port import Transaction
from talkwire.conversations.model import Conversation
from talkwire.history.erasure_model import MASK, ErasureTimes, RequestState
from talkwire.history.erasure_rules import MOST_ROUNDS
from talkwire.history.erasure_store import is_erased
from talkwire.history.receipts import keys_in, verify
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.errors import NotFound
from talkwire.vault.errors import KeyDestroyed


async def test_a_consumer_is_forgotten_and_nobody_else(forgetting: Forgetting) -> None:
    who, other = consumer().id, consumer().id
    mine = await forgetting.conversation(who, "my name is Ada", "and my street")
    theirs = await forgetting.conversation(other, "I am Bob")
    picture = await forgetting.shelf.put(who, who, [mine.conversation_id])
    staged = await forgetting.shelf.put(who, who)
    kept = await forgetting.shelf.put(other, other, [theirs.conversation_id])
    request_id = await forgetting.run(consumer=[who])
    assert await state_of(forgetting, request_id) is RequestState.DONE
    assert await forgetting.texts(mine.conversation_id) == [MASK, MASK]
    assert await forgetting.texts(theirs.conversation_id) == ["I am Bob"]
    assert not await forgetting.opens(picture)
    assert not await forgetting.opens(staged)
    assert await forgetting.opens(kept)
    rows = await forgetting.database.read(
        "SELECT metadata, client_properties FROM events WHERE conversation_id = $1", mine.conversation_id
    )
    assert [dict(row.items()) for row in rows] == [{"metadata": None, "client_properties": None}] * 2
    record = await forgetting.brand.now(mine.conversation_id)
    assert (record.note, record.topic, record.context) == (MASK, MASK, {})
    keys = await forgetting.database.read("SELECT key FROM idempotency_keys")
    assert [row["key"] for row in keys] == ["I am Bob"]


async def test_a_conversation_is_forgotten_and_its_consumer_stays(forgetting: Forgetting) -> None:
    who = consumer().id
    first = await forgetting.conversation(who, "one")
    second = await forgetting.conversation(who, "two")
    gone = await forgetting.shelf.put(who, who, [first.conversation_id, second.conversation_id])
    stays = await forgetting.shelf.put(who, who, [second.conversation_id])
    await forgetting.run(conversation=[first.conversation_id])
    assert await forgetting.texts(first.conversation_id) == [MASK]
    assert await forgetting.texts(second.conversation_id) == ["two"]
    assert not await forgetting.opens(gone)
    assert await forgetting.opens(stays)


async def test_an_engagement_takes_all_its_conversations(forgetting: Forgetting) -> None:
    inside = [await forgetting.conversation("", "x", engagement="50%_off") for _ in range(2)]
    outside = await forgetting.conversation("", "x", engagement="50 off")
    await forgetting.run(engagement=["50%_off"])
    assert [await forgetting.texts(one.conversation_id) for one in inside] == [[MASK], [MASK]]
    assert await forgetting.texts(outside.conversation_id) == ["x"]


async def test_a_logo_shown_to_many_stays_and_a_letter_to_one_goes(forgetting: Forgetting) -> None:
    who, other = consumer().id, consumer().id
    mine, theirs = await forgetting.conversation(who, "a"), await forgetting.conversation(other, "b")
    logo = await forgetting.shelf.put(
        "bot", other, [mine.conversation_id, theirs.conversation_id], is_brands=True
    )
    letter = await forgetting.shelf.put("bot", who, [mine.conversation_id], is_brands=True)
    request_id = await forgetting.run(consumer=[who])
    assert await forgetting.opens(logo)
    assert not await forgetting.opens(letter)
    assert await forgetting.shelf.list_of_conversations(ACCOUNT, [mine.conversation_id]) == []
    receipt = json.loads((await forgetting.erasures.get_receipt(ACCOUNT, request_id)).receipt)["receipt"]
    assert [one["id"] for one in receipt["erased"]["filesNoLongerShown"]] == [logo]


async def test_an_upload_that_others_showed_again_goes_everywhere(forgetting: Forgetting) -> None:
    who, other = consumer().id, consumer().id
    mine, theirs = await forgetting.conversation(who, "a"), await forgetting.conversation(other, "b")
    picture = await forgetting.shelf.put(who, who, [mine.conversation_id, theirs.conversation_id])
    await forgetting.run(conversation=[mine.conversation_id])
    assert not await forgetting.opens(picture)
    assert await forgetting.shelf.list_of_conversations(ACCOUNT, [theirs.conversation_id]) == []


async def test_an_open_conversation_waits_and_then_goes(forgetting: Forgetting) -> None:
    who = consumer().id
    closed = await forgetting.conversation(who, "old")
    still_open = await forgetting.conversation(who, "new", closed=False)
    shown = await forgetting.shelf.put(who, who, [closed.conversation_id, still_open.conversation_id])
    request_id = await forgetting.run(consumer=[who])
    assert await forgetting.texts(closed.conversation_id) == [MASK]
    assert await forgetting.texts(still_open.conversation_id) == ["new"]
    assert await forgetting.opens(shown)
    request = await forgetting.erasures.get(ACCOUNT, request_id)
    assert (request.state, request.left_open) == (RequestState.IN_PROGRESS, 1)
    await forgetting.close(still_open.conversation_id)
    await forgetting.runs.carry_out_due()  # not its turn yet
    assert await state_of(forgetting, request_id) is RequestState.IN_PROGRESS
    forgetting.clock.advance(seconds=601)
    await forgetting.runs.carry_out_due()
    assert await state_of(forgetting, request_id) is RequestState.DONE
    assert await forgetting.texts(still_open.conversation_id) == [MASK]
    assert not await forgetting.opens(shown)


async def test_what_comes_in_while_somebody_is_forgotten_goes_as_well(forgetting: Forgetting) -> None:
    who = consumer().id
    came: list[tuple[str, str]] = []

    async def meanwhile() -> None:
        if not came:
            came.append(await comes_again(forgetting, who, "and my street", closed=True))

    await comes_again(forgetting, who, "my name is Ada", closed=True)
    forgetting.shelf.meanwhile = meanwhile
    request_id = await forgetting.run(consumer=[who])
    ((conversation_id, path),) = came
    assert await state_of(forgetting, request_id) is RequestState.DONE
    assert await forgetting.texts(conversation_id) == [MASK]
    assert not await forgetting.opens(path)
    assert not await forgetting.database.read("SELECT 1 FROM consumers WHERE consumer_id = $1", who)
    receipt = await receipt_of(forgetting, request_id)
    assert (receipt["counts"]["files"], receipt["counts"]["conversations"]) == (2, 2)
    assert receipt["verification"]["upTo"] == forgetting.clock.now_ms()


async def test_a_conversation_opened_while_somebody_is_forgotten_is_waited_for(
    forgetting: Forgetting,
) -> None:
    who = consumer().id
    came: list[tuple[str, str]] = []

    async def meanwhile() -> None:
        if not came:
            came.append(await comes_again(forgetting, who, "and my street", closed=False))

    old, _ = await comes_again(forgetting, who, "my name is Ada", closed=True)
    forgetting.shelf.meanwhile = meanwhile
    request_id = await forgetting.run(consumer=[who])
    ((conversation_id, path),) = came
    request = await forgetting.erasures.get(ACCOUNT, request_id)
    assert (request.state, request.left_open) == (RequestState.IN_PROGRESS, 1)
    assert await forgetting.texts(old) == [MASK]
    with pytest.raises(NotFound):
        await forgetting.erasures.get_receipt(ACCOUNT, request_id)
    await forgetting.close(conversation_id)
    forgetting.clock.advance(seconds=601)
    await forgetting.runs.carry_out_due()
    assert await state_of(forgetting, request_id) is RequestState.DONE
    assert await forgetting.texts(conversation_id) == [MASK]
    assert not await forgetting.opens(path)
    assert not await forgetting.database.read("SELECT 1 FROM consumers WHERE consumer_id = $1", who)


async def test_what_is_written_on_a_masked_conversation_goes_before_the_receipt(
    forgetting: Forgetting,
) -> None:
    who = consumer().id
    masked = await forgetting.conversation(who, "my name is Ada")
    still_open = await forgetting.conversation(who, "I am talking", closed=False)
    request_id = await forgetting.run(consumer=[who])

    async def note(found: Conversation, _tx: Transaction) -> Conversation:
        return msgspec.structs.replace(found, note="Ada rang again")

    await forgetting.brand.conversations.change(ACCOUNT, masked.conversation_id, note)
    await forgetting.close(still_open.conversation_id)
    forgetting.clock.advance(seconds=601)
    await forgetting.runs.carry_out_due()
    assert await state_of(forgetting, request_id) is RequestState.DONE
    assert (await forgetting.brand.now(masked.conversation_id)).note == MASK


async def test_somebody_who_never_stops_does_not_hold_up_the_receipt_and_it_says_up_to_when(
    forgetting: Forgetting,
) -> None:
    who = consumer().id
    came: list[tuple[int, str]] = []

    async def meanwhile() -> None:
        forgetting.clock.advance(seconds=1)
        conversation_id, _ = await comes_again(forgetting, who, f"text {len(came)}", closed=True)
        came.append((forgetting.clock.now_ms(), conversation_id))

    await comes_again(forgetting, who, "my name is Ada", closed=True)
    forgetting.shelf.meanwhile = meanwhile
    request_id = await forgetting.run(consumer=[who])
    forgetting.shelf.meanwhile = None
    assert await state_of(forgetting, request_id) is RequestState.DONE
    up_to_ms = (await receipt_of(forgetting, request_id))["verification"]["upTo"]
    assert len(came) == MOST_ROUNDS
    for at_ms, conversation_id in came:
        assert (await forgetting.texts(conversation_id) == [MASK]) is (at_ms <= up_to_ms)


async def test_what_stays_open_past_the_deadline_is_an_alarm(forgetting: Forgetting) -> None:
    still_open = await forgetting.conversation("", "new", closed=False)
    await forgetting.run(conversation=[still_open.conversation_id])
    assert forgetting.runs.overdue == 0
    forgetting.clock.advance(days=20, seconds=1)
    await forgetting.runs.carry_out_due()
    assert forgetting.runs.overdue == 1


async def test_nothing_happens_before_the_time_to_cancel_is_over(tmp_path: Path) -> None:
    clock = MovableClock()
    async with forgetting_in(tmp_path, clock) as rooms:
        rooms.erasures._times = ErasureTimes(60, 20)
        one = await rooms.conversation("", "x")
        request_id = await rooms.run(conversation=[one.conversation_id])
        cancelled_id = await rooms.run(conversation=[one.conversation_id])
        await rooms.erasures.cancel(ACCOUNT, cancelled_id, "admin")
        assert await rooms.texts(one.conversation_id) == ["x"]
        clock.advance(seconds=60)
        await rooms.runs.carry_out_due()
        assert await rooms.texts(one.conversation_id) == [MASK]
        assert await state_of(rooms, request_id) is RequestState.DONE
        assert await state_of(rooms, cancelled_id) is RequestState.CANCELED


async def test_the_receipt_verifies_and_says_what_went(forgetting: Forgetting) -> None:
    who = consumer().id
    mine = await forgetting.conversation(who, "a", "b")
    picture = await forgetting.shelf.put(who, who, [mine.conversation_id])
    request_id = await forgetting.run(consumer=[who])
    document = (await forgetting.erasures.get_receipt(ACCOUNT, request_id)).receipt
    published = json.dumps(await forgetting.receipt_keys.published(ACCOUNT)).encode()
    verified = verify(document.encode(), keys_in(published))
    assert verified.is_known_key
    assert verified.receipt["counts"] == {
        "consumers": 1, "files": 1, "conversations": 1, "events": 2, "bytes": 10,
    }  # fmt: skip
    (line,) = verified.receipt["erased"]["files"]
    assert (line["id"], line["bytes"], line["sha256"]) == (picture, 10, "ab")
    with pytest.raises(KeyDestroyed):
        await forgetting.vault.file_key(ACCOUNT, line["keyId"])
    assert [entry.act for entry in forgetting.trail.entries] == [Act.ERASURE_REQUESTED, Act.ERASED]
    with pytest.raises(NotFound):
        await forgetting.erasures.get_receipt(ACCOUNT, request_id + 1)


async def test_two_erasures_of_the_same_consumer_at_once_are_both_done(forgetting: Forgetting) -> None:
    who = consumer().id
    conversation_id, path = await comes_again(forgetting, who, "my name is Ada", closed=True)
    body = {"consumer": [who]}
    made = [(await forgetting.erasures.request(ACCOUNT, body, "admin")).request_id for _ in range(2)]
    await asyncio.gather(*(forgetting.runs.carry_out_due() for _ in range(2)))
    assert [await state_of(forgetting, one) for one in made] == [RequestState.DONE] * 2
    assert await forgetting.texts(conversation_id) == [MASK]
    assert not await forgetting.opens(path)
    lines = [(await receipt_of(forgetting, one))["erased"]["files"] for one in made]
    assert [one["keyId"] for files in lines for one in files]
    assert await forgetting.runs.replay() == 0


async def test_unknown_ids_leave_a_receipt_of_nothing(forgetting: Forgetting) -> None:
    request_id = await forgetting.run(consumer=["nobody"])
    receipt = json.loads((await forgetting.erasures.get_receipt(ACCOUNT, request_id)).receipt)["receipt"]
    assert receipt["counts"]["conversations"] == 0
    assert receipt["ids"] == ["nobody"]


async def left_of(forgetting: Forgetting, who: str) -> tuple[int, int]:
    """How many names and living keys somebody has."""
    names = await forgetting.database.read("SELECT 1 FROM audit_persons WHERE consumer_id = $1", who)
    keys = await forgetting.key_store.read(
        "SELECT 1 FROM holder_keys WHERE consumer_id = $1 AND live = 1", who
    )
    return len(names), len(keys)


async def told(forgetting: Forgetting, trail: Trail, who: str) -> tuple[Draft, Opened | None]:
    """What is recorded of a file of somebody now, and what is in its box."""
    path = f"/v1/AUTH_async-images/{ACCOUNT}/{who}_uuid_11111111.PNG"
    token = ORIGIN.set("192.0.2.7")
    await trail.record(Entry(ACCOUNT, Act.REFUSED, path, who, actor=who, detail={"reason": who}))
    ORIGIN.reset(token)
    draft = (await list_records(forgetting.database, ACCOUNT, 0, 100))[-1].draft
    return draft, await trail.boxes.open(ACCOUNT, draft.person, draft.box)


async def test_recording_brings_nobody_back_who_was_erased(forgetting: Forgetting) -> None:
    who = consumer().id
    trails = forgetting.audit, Trail(forgetting.database, forgetting.clock, forgetting.vault, is_erased)
    await forgetting.conversation(who, "my name is Ada")
    for trail in trails:  # the second is another node's: nobody tells it
        assert (await told(forgetting, trail, who))[1] == (who, who, "192.0.2.7")
    assert await left_of(forgetting, who) == (1, 1)
    await forgetting.run(consumer=[who])
    forgetting.clock.advance(seconds=61)
    for trail in trails:
        draft, _ = await told(forgetting, trail, who)
        assert (draft.person, draft.box, draft.actor, draft.address) == ("", b"", "", "")
        assert who not in repr(draft)
    assert await left_of(forgetting, who) == (0, 0)
    for trail in trails:
        await trail.close()


async def test_while_somebody_is_being_erased_nothing_makes_a_key_again(forgetting: Forgetting) -> None:
    who = consumer().id
    mine = await forgetting.conversation(who, "my name is Ada")
    await forgetting.shelf.put(who, who, [mine.conversation_id])
    await told(forgetting, forgetting.audit, who)
    forgetting.shelf.dies_before = "objects"
    await forgetting.run(consumer=[who])
    assert await left_of(forgetting, who) == (1, 0)
    forgetting.clock.advance(seconds=61)
    draft, _ = await told(forgetting, forgetting.audit, who)
    assert (draft.person, draft.address) == ("", "")
    assert await left_of(forgetting, who) == (1, 0)


async def test_who_comes_back_by_a_new_conversation_is_recorded_again(forgetting: Forgetting) -> None:
    who = consumer().id
    await forgetting.conversation(who, "my name is Ada")
    await told(forgetting, forgetting.audit, who)
    before = (await list_records(forgetting.database, ACCOUNT, 0, 1))[0].draft
    await forgetting.run(consumer=[who])
    await forgetting.conversation(who, "it is me again", closed=False)
    draft, opened = await told(forgetting, forgetting.audit, who)
    assert opened == (who, who, "192.0.2.7")
    assert draft.person != before.person
    assert await forgetting.audit.boxes.open(ACCOUNT, before.person, before.box) is None
    assert await left_of(forgetting, who) == (1, 1)
