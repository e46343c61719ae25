"""Publishes of one dialog keep their order while the conversation changes under them."""

from typing import cast

from talkwire.messaging.lanes import Lane, Lanes
from talkwire.messaging.logged import LoggedEvent


def event() -> LoggedEvent:
    return cast("LoggedEvent", object())


def test_a_lane_with_nothing_under_way_lets_everybody_pass() -> None:
    assert not Lane(1).must_wait(1)
    assert not Lane(1).must_wait(2)


def test_while_something_is_in_flight_only_its_own_version_may_follow() -> None:
    lane = Lane(1)
    lane.in_flight = 1
    assert not lane.must_wait(1)
    assert lane.must_wait(2)


def test_nobody_overtakes_what_came_back_or_is_held() -> None:
    lane = Lane(1)
    lane.stale.append(event())
    assert lane.must_wait(1)
    lane.stale.clear()
    lane.held.append(event())
    assert lane.must_wait(1)


def test_what_came_back_goes_before_what_was_held() -> None:
    lane = Lane(1)
    first, second, third = event(), event(), event()
    lane.held.append(third)
    lane.stale.extend([first, second])
    assert lane.take_waiting() == [first, second, third]
    assert lane.take_waiting() == []


def test_a_dialog_has_one_lane_while_anything_is_under_way() -> None:
    lanes = Lanes()
    lane = lanes.lane_of("1", "d", 1)
    lane.in_flight = 1
    assert lanes.lane_of("1", "d", 2) is lane
    assert lane.version == 1  # of those in flight
    assert lanes.lane_of("2", "d", 1) is not lane
    assert len(lanes) == 2
    lanes.drop_if_idle("1", "d", lane)
    assert len(lanes) == 2


def test_an_idle_lane_takes_the_new_version_and_is_dropped() -> None:
    lanes = Lanes()
    lane = lanes.lane_of("1", "d", 1)
    assert lanes.lane_of("1", "d", 5).version == 5
    for waiting in (lane.stale, lane.held):
        waiting.append(event())
        lanes.drop_if_idle("1", "d", lane)
        assert len(lanes) == 1
        waiting.clear()
    lanes.drop_if_idle("1", "d", lane)
    lanes.drop_if_idle("1", "d", lane)
    assert len(lanes) == 0
