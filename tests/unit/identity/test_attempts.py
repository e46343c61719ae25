"""Attempts by a clock that stands still."""

import pytest

from identity_rooms import ACCOUNT, OTHER
from talkwire.identity.attempts import NAMES_PER_ADDRESS, Attempts
from talkwire.identity.errors import TooManyAttempts
from talkwire.kernel.clock import MovableClock

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def test_what_failed_counts_by_user_and_address_for_a_minute() -> None:
    clock = MovableClock()
    attempts = Attempts(clock, 2)
    for _ in range(2):
        attempts.begin(ACCOUNT, "agent", HERE)
    with pytest.raises(TooManyAttempts):
        attempts.begin(ACCOUNT, "agent", HERE)
    attempts.begin(ACCOUNT, "agent", ELSEWHERE)
    attempts.begin(OTHER, "agent", HERE)
    clock.advance(seconds=60)
    attempts.begin(ACCOUNT, "agent", HERE)


def test_what_succeeded_does_not_count() -> None:
    attempts = Attempts(MovableClock(), 1)
    for _ in range(2 * NAMES_PER_ADDRESS):
        attempts.begin(ACCOUNT, "agent", HERE)
        attempts.succeeded(ACCOUNT, "agent", HERE)


def test_an_address_that_tries_many_names_is_told_to_wait_for_all_of_them() -> None:
    attempts = Attempts(MovableClock(), 1)
    for number in range(NAMES_PER_ADDRESS):
        attempts.begin(ACCOUNT, f"agent {number}", HERE)
    with pytest.raises(TooManyAttempts):
        attempts.begin(ACCOUNT, "another", HERE)


def test_the_first_of_a_minute_is_told_apart() -> None:
    clock = MovableClock()
    attempts = Attempts(clock, 1)
    assert attempts.is_first_told_to_wait(ACCOUNT, "agent", HERE)
    assert not attempts.is_first_told_to_wait(ACCOUNT, "agent", HERE)
    assert attempts.is_first_told_to_wait(ACCOUNT, "agent", ELSEWHERE)
    clock.advance(seconds=60)
    assert attempts.is_first_told_to_wait(ACCOUNT, "agent", HERE)
