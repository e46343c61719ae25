"""Receivers that fail in every way they can, with a clock that moves: nothing is lost.

What was taken may come twice, under the same delivery id; order holds per conversation; others are not delayed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from protocol.stage import Stage, new_cast, staged_demo
from talkwire.connectors.deliveries import Deliveries
from talkwire.connectors.delivery_model import EndpointState
from talkwire.connectors.model import EventKey
from talkwire.history import erasing_store
from talkwire.history.erasure_model import MASK
from talkwire.history.erasure_rules import masked_event
from talkwire.messaging.model import ChatStateEvent
from talkwire.webhooks.looking import MARGIN_MS
from webhook_receiver import CUT, GARBAGE, Channel, Got, Receiver, new_channel, receiving

CONTENT = (EventKey.CONTENT,)
HOUR = 3600
WAIT_SECONDS = 30.0


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged_demo(tmp_path) as stage:
        yield stage


async def channel_to(stage: Stage, receiver: Receiver, **options: object) -> Channel:
    cast = await new_cast(stage)
    return await new_channel(stage.node, cast.account, receiver.url, keys=CONTENT, **options)  # type: ignore[arg-type]


async def pass_time(stage: Stage, seconds: float, wanted: Callable[[], object]) -> None:
    """Let the clock run fast until something is so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not wanted():
        assert time.monotonic() < deadline, "it never came"
        stage.clock.advance(seconds)
        await asyncio.sleep(0.02)


def deliveries(stage: Stage) -> Deliveries:
    return Deliveries(stage.node.database, stage.clock)


async def dead_ids(channel: Channel, stage: Stage) -> list[str]:
    letters = await deliveries(stage).list_dead(channel.account)
    return sorted(letter.delivery.delivery_id for letter in letters)


async def test_a_receiver_that_is_down_for_72_hours_gets_everything_in_order(
    stage: Stage, receiver: Receiver
) -> None:
    channel = await channel_to(stage, receiver, retention_seconds=259_200)
    talks = [await channel.talk() for _ in range(12)]
    await receiver.stop()
    for number in range(10):
        for conversation, who in talks:
            await channel.say(who, conversation, f"{number}")
    for _ in range(71 * 6):  # ten minutes at a time
        stage.clock.advance(600)
        await asyncio.sleep(0.005)
    await receiver.start()
    await pass_time(stage, 30, lambda: len(receiver.delivered) >= 120)
    for conversation, _ in talks:
        told = list(dict.fromkeys(receiver.texts(conversation.conversation_id)))
        assert told == [str(number) for number in range(10)]
    assert await dead_ids(channel, stage) == []
    await stage.node.webhooks._tools.keeper.flush()
    [report] = await deliveries(stage).list_endpoints(channel.account)
    assert report.waiting == 0


async def test_a_dead_endpoint_is_left_alone_and_one_conversation_asks_for_all(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.behave = lambda _got: 500
    channel = await channel_to(stage, receiver)
    talks = [await channel.talk() for _ in range(60)]
    for conversation, who in talks:
        await channel.say(who, conversation, "x")
    courier = stage.node.webhooks.couriers()[0]
    await receiver.until(lambda: courier.health.is_down)
    await receiver.until(lambda: courier.in_flight == 0)
    asked = len(receiver.got)
    for _ in range(60):
        stage.clock.advance(60)
        await asyncio.sleep(0.15)
    probes = len(receiver.got) - asked
    assert 10 <= probes <= 20  # an hour: 2, 4, 8 … 300 seconds apart
    receiver.behave = lambda _got: 200
    await pass_time(stage, 5, lambda: len({g.conversation_id for g in receiver.delivered}) == 60)
    await pass_time(stage, 1, lambda: courier.health.state is EndpointState.RECOVERED)


async def test_one_conversation_that_fails_does_not_delay_the_others(
    stage: Stage, receiver: Receiver
) -> None:
    channel = await channel_to(stage, receiver)
    sick, patient = await channel.talk()
    receiver.behave = lambda got: 500 if got.conversation_id == sick.conversation_id else 200
    talks = [await channel.talk() for _ in range(30)]
    await channel.say(patient, sick, "0")
    await channel.say(patient, sick, "1")
    for conversation, who in talks:
        for number in range(5):
            await channel.say(who, conversation, f"{number}")
    await receiver.until(lambda: len(receiver.delivered) == 150)  # the clock stands nearly still
    assert [g.text for g in receiver.got if g.conversation_id == sick.conversation_id] in (["0"], ["0", "0"])
    receiver.behave = lambda _got: 200
    await pass_time(stage, 1, lambda: receiver.texts(sick.conversation_id) == ["0", "1"])


async def test_an_app_that_fails_does_not_delay_another(stage: Stage, receiver: Receiver) -> None:
    async def hang(_got: Got) -> int:
        await asyncio.sleep(4)
        return 200

    async with receiving(hang) as slow:
        slow_channel = await channel_to(stage, slow)
        for _ in range(40):
            conversation, who = await slow_channel.talk()
            await slow_channel.say(who, conversation, "x")
        channel = await channel_to(stage, receiver)
        conversation, who = await channel.talk()
        started = time.monotonic()
        await channel.say(who, conversation, "quick")
        await receiver.until(lambda: receiver.texts() == ["quick"])
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("fault", [500, 410, 301, CUT, GARBAGE])
async def test_whatever_goes_wrong_is_tried_again_under_the_same_id(
    stage: Stage, receiver: Receiver, fault: int
) -> None:
    failures = 3
    receiver.behave = lambda _got: fault if len(receiver.got) <= failures else 200
    channel = await channel_to(stage, receiver)
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "0")
    await channel.say(who, conversation, "1")
    await pass_time(stage, 1, lambda: receiver.texts() == ["0", "1"])
    first = [got for got in receiver.got if got.text == "0"]
    assert len({got.delivery_id for got in first}) == 1
    assert len({got.raw for got in first}) == 1
    assert [got.headers["X-Talkwire-Attempt"] for got in first] == ["1", "2", "3", "4"]


async def test_waits_between_attempts_double(stage: Stage, receiver: Receiver) -> None:
    moments: list[int] = []

    def behave(_got: Got) -> int:
        moments.append(stage.clock.now_ms())
        return 500

    receiver.behave = behave
    channel = await channel_to(stage, receiver)
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "x")
    await receiver.until(lambda: moments)
    for seconds in (2, 4, 8, 16, 32):
        seen = len(moments)
        stage.clock.advance(seconds - 1)
        await asyncio.sleep(0.25)
        assert len(moments) == seen
        stage.clock.advance(1)
        await receiver.until(lambda seen=seen: len(moments) > seen)  # type: ignore[misc]


async def test_a_flapping_receiver_gets_all_of_it_in_order(stage: Stage, receiver: Receiver) -> None:
    receiver.behave = lambda _got: 200 if len(receiver.got) % 3 == 0 else 503
    channel = await channel_to(stage, receiver)
    talks = [await channel.talk() for _ in range(8)]
    for number in range(6):
        for conversation, who in talks:
            await channel.say(who, conversation, f"{number}")
    await pass_time(stage, 3, lambda: len(receiver.delivered) >= 48)
    for conversation, _ in talks:
        told = list(dict.fromkeys(receiver.texts(conversation.conversation_id)))
        assert told == [str(number) for number in range(6)]


async def test_what_is_older_than_the_retention_time_becomes_a_dead_letter_and_can_be_replayed(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.behave = lambda _got: 500
    channel = await channel_to(stage, receiver, retention_seconds=600)
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "old")
    await receiver.until(lambda: receiver.got)
    stage.clock.advance(599)
    await channel.say(who, conversation, "young")
    stage.clock.advance(2)
    await receiver.until(lambda: stage.node.webhooks.couriers()[0].in_flight == 0)
    receiver.behave = lambda _got: 200
    await pass_time(stage, 1, lambda: receiver.texts() == ["young"])
    gone = f"{conversation.conversation_id}.0"
    await stage.node.webhooks._tools.keeper.flush()
    assert await dead_ids(channel, stage) == [gone]
    await deliveries(stage).replay(channel.account, gone)
    await receiver.until(lambda: receiver.texts() == ["young", "old"])
    assert receiver.delivered[-1].delivery_id == gone
    assert await dead_ids(channel, stage) == []


async def test_what_waits_for_a_dead_endpoint_expires_while_it_is_down(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.behave = lambda _got: 500
    channel = await channel_to(stage, receiver, retention_seconds=3600)
    talks = [await channel.talk() for _ in range(30)]
    for conversation, who in talks:
        await channel.say(who, conversation, "x")
    courier = stage.node.webhooks.couriers()[0]
    await receiver.until(lambda: courier.health.is_down)
    deadline = time.monotonic() + WAIT_SECONDS
    while len(await dead_ids(channel, stage)) < 30:
        assert time.monotonic() < deadline
        stage.clock.advance(60)
        await asyncio.sleep(0.1)


async def test_retry_by_count_comes_30_seconds_apart_and_ends_on_the_list(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.behave = lambda got: 500 if got.text == "bad" else 200
    channel = await channel_to(stage, receiver, retention_seconds=None)
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "bad")
    await channel.say(who, conversation, "good")
    await receiver.until(lambda: receiver.texts() == ["good"])  # order is not kept
    for attempt in (2, 3, 4):
        stage.clock.advance(28)
        await asyncio.sleep(0.7)
        assert len(receiver.got) == attempt
        stage.clock.advance(2.1)
        await receiver.until(lambda attempt=attempt: len(receiver.got) == attempt + 1)  # type: ignore[misc]
    gone = f"{conversation.conversation_id}.0"
    await receiver.until(lambda: stage.node.webhooks.couriers()[0].in_flight == 0)
    assert await dead_ids(channel, stage) == [gone]
    [letter] = await deliveries(stage).get_dead(channel.account, gone)
    assert (letter.attempts, letter.reason, letter.last_error) == (4, "retries used up", "answered 500")
    stage.clock.advance(600)
    await asyncio.sleep(0.7)
    assert len(receiver.got) == 5


async def test_no_retries_means_none_and_the_endpoint_stays_up(stage: Stage, receiver: Receiver) -> None:
    receiver.behave = lambda _got: 500
    channel = await channel_to(stage, receiver, max_retries=0)
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "once")
    await receiver.until(lambda: receiver.got)
    await receiver.until(lambda: stage.node.webhooks.couriers()[0].in_flight == 0)
    await stage.node.webhooks._tools.keeper.flush()
    assert await dead_ids(channel, stage) == [f"{conversation.conversation_id}.0"]
    assert stage.node.webhooks.couriers()[0].health.state is EndpointState.UP


async def test_chat_states_are_told_at_most_once(stage: Stage, receiver: Receiver) -> None:
    receiver.behave = lambda _got: 500
    cast = await new_cast(stage)
    keys = (EventKey.CHAT_STATE,)
    channel = await new_channel(stage.node, cast.account, receiver.url, keys=keys)
    conversation, who = await channel.talk()
    await receiver.until(lambda: any(not one.is_paused for one in stage.node.webhooks.couriers()))
    await channel.publish(who, conversation, ChatStateEvent(chat_state="ACTIVE"))
    await receiver.until(lambda: receiver.got)
    stage.clock.advance(600)
    await asyncio.sleep(0.5)
    assert len(receiver.got) == 1
    assert await dead_ids(channel, stage) == []


async def test_a_restarted_node_goes_on_from_its_cursor(tmp_path: Path, receiver: Receiver) -> None:
    async with staged_demo(tmp_path) as stage:
        channel = await channel_to(stage, receiver)
        conversation, who = await channel.talk()
        await channel.say(who, conversation, "0")
        await receiver.until(lambda: receiver.texts() == ["0"])
        await receiver.stop()
        for number in range(1, 8):
            await channel.say(who, conversation, f"{number}")
        late, speaker = await channel.talk()
        await channel.say(speaker, late, "late")
    await receiver.start()
    async with staged_demo(tmp_path) as stage:
        stage.clock.advance(60)
        wanted = [str(number) for number in range(8)]
        await pass_time(stage, 1, lambda: receiver.texts(conversation.conversation_id) == wanted)
        await pass_time(stage, 1, lambda: receiver.texts(late.conversation_id) == ["late"])


async def test_what_is_said_in_an_older_conversation_survives_a_death_before_it_was_told(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with staged_demo(tmp_path) as stage:
        channel = await channel_to(stage, receiver)
        hooks = channel.app.webhooks
        await channel.change(webhooks={}, retention_seconds=None)
        conversation, who = await channel.talk()
        stage.clock.advance(600)
        await channel.change(webhooks=hooks, retention_seconds=3600)
        webhooks = stage.node.webhooks
        await receiver.until(lambda: any(not c.is_paused and not c.is_behind for c in webhooks.couriers()))
        await webhooks.close()  # as if it died: what is committed now is told to nobody
        await channel.say(who, conversation, "late")
    async with staged_demo(tmp_path) as stage:
        stage.clock.advance(660)
        await pass_time(stage, 1, lambda: receiver.texts(conversation.conversation_id) == ["late"])


async def test_what_was_erased_while_it_waited_is_not_delivered(stage: Stage, receiver: Receiver) -> None:
    receiver.behave = lambda _got: 500
    channel = await channel_to(stage, receiver)
    conversation, who = await channel.talk()
    for text in ("heard", "my secret", "more of it"):
        await channel.say(who, conversation, text)
    await receiver.until(lambda: receiver.got)
    database = stage.node.database
    async for rows in erasing_store.events_of(database, channel.account, conversation.conversation_id):
        masked = [(r["dialog_number"], r["sequence"], masked_event(bytes(r["event"]))) for r in rows]
        await database.write(
            lambda tx, masked=masked: erasing_store.mask_events(tx, channel.account, masked)  # type: ignore[misc]
        )
    receiver.behave = lambda _got: 200
    stage.clock.advance(60)
    await pass_time(stage, 5, lambda: len(receiver.delivered) >= 3)
    assert set(receiver.texts()) == {MASK}


async def test_what_was_read_of_an_app_before_it_changed_does_not_count(
    stage: Stage, receiver: Receiver
) -> None:
    channel = await channel_to(stage, receiver)
    webhooks, read_before = stage.node.webhooks, channel.app
    await receiver.until(lambda: any(not courier.is_paused for courier in webhooks.couriers()))
    await channel.change(enabled=False)
    await webhooks._follow(read_before)  # a look at every app that began before the change
    await webhooks._renew_all()
    [courier] = webhooks.couriers()
    assert (courier.app, courier.is_paused) == (channel.app, True)


async def test_a_conversation_that_was_long_in_coming_to_disk_is_found(
    stage: Stage, receiver: Receiver
) -> None:
    channel = await channel_to(stage, receiver)
    webhooks = stage.node.webhooks
    await receiver.until(lambda: any(not courier.is_behind for courier in webhooks.couriers()))
    [courier] = webhooks.couriers()
    webhooks._couriers, served = {}, webhooks._couriers  # another node opens it: no bell
    conversation, who = await channel.talk()
    await channel.say(who, conversation, "late")
    stage.clock.advance(60)  # its commit was waited for, and meanwhile somebody looked
    looking = webhooks._looking
    looking._places[courier.endpoint.endpoint_id].changed_ms = stage.clock.now_ms() - MARGIN_MS
    webhooks._couriers = served
    for turn in range(3):
        await looking.look(courier, asyncio.get_running_loop().time() + 100 * turn)
    await receiver.until(lambda: receiver.texts() == ["late"])


async def test_deliveries_that_come_twice_have_the_same_id(stage: Stage, receiver: Receiver) -> None:
    async def late(_got: Got) -> int:
        await asyncio.sleep(0.01)
        return 200 if len(receiver.got) > 20 else 500

    receiver.behave = late
    channel = await channel_to(stage, receiver)
    conversation, who = await channel.talk()
    for number in range(5):
        await channel.say(who, conversation, f"{number}")
    await pass_time(stage, 5, lambda: len(set(receiver.texts())) == 5)
    ids: dict[str, set[bytes]] = {}
    for got in receiver.got:
        ids.setdefault(got.delivery_id, set()).add(got.raw)
    assert all(len(bodies) == 1 for bodies in ids.values())
    assert len(ids) == 5
    assert max(Counter(got.delivery_id for got in receiver.delivered).values()) == 1
