import pytest

from talkwire.identity.errors import TooManyAttempts
from talkwire.identity.throttle import Throttle
from talkwire.kernel.clock import MovableClock


def test_the_eleventh_of_a_minute_is_refused_and_told_how_long_to_wait() -> None:
    clock = MovableClock()
    throttle = Throttle(clock, 10)
    for _ in range(10):
        throttle.take("ann", "here")
    clock.advance(seconds=20)
    with pytest.raises(TooManyAttempts) as refusal:
        throttle.take("ann", "here")
    assert refusal.value.retry_after_seconds == 40
    clock.advance(seconds=40)
    throttle.take("ann", "here")


def test_keys_do_not_hinder_each_other() -> None:
    throttle = Throttle(MovableClock(), 1)
    throttle.take("ann", "here")
    throttle.take("ann", "there")
    throttle.take("bob", "here")
    with pytest.raises(TooManyAttempts):
        throttle.check("ann", "here")


def test_what_is_given_back_may_be_taken_again() -> None:
    throttle = Throttle(MovableClock(), 1)
    throttle.give_back("ann")
    throttle.take("ann")
    throttle.give_back("ann")
    throttle.take("ann")
    with pytest.raises(TooManyAttempts):
        throttle.take("ann")


def test_a_flood_of_keys_takes_no_more_memory_than_allowed() -> None:
    throttle = Throttle(MovableClock(), 1, capacity=2)
    for key in "abc":
        throttle.take(key)
    throttle.take("a")  # forgotten by now
    assert len(throttle._windows) == 2


def test_a_clock_set_back_locks_nobody_out() -> None:
    clock = MovableClock()
    throttle = Throttle(clock, 1)
    throttle.take("ann")
    clock.advance(seconds=-3600)
    throttle.take("ann")
