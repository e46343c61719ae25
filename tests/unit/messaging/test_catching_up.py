"""A replay in notifications that are not too large."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from talkwire.messaging.catching_up import NOTIFICATION_BYTES, PER_NOTIFICATION, parts_of
from talkwire.messaging.logged import LoggedEvent


class Told:
    def __init__(self, size: int) -> None:
        self.told_event = bytes(size)


def events(*sizes: int) -> list[LoggedEvent]:
    return [cast("LoggedEvent", Told(size)) for size in sizes]


def test_nothing_is_one_empty_notification() -> None:
    assert parts_of([]) == [[]]


def test_many_small_events_are_split_by_their_number() -> None:
    parts = parts_of(events(*[2] * (2 * PER_NOTIFICATION + 1)))
    assert [len(part) for part in parts] == [PER_NOTIFICATION, PER_NOTIFICATION, 1]


def test_one_that_is_too_large_goes_alone() -> None:
    parts = parts_of(events(1, NOTIFICATION_BYTES + 1, 1))
    assert [len(part) for part in parts] == [1, 1, 1]


@given(st.lists(st.integers(0, NOTIFICATION_BYTES), max_size=40))
def test_every_event_is_in_one_part_and_in_order(sizes: list[int]) -> None:
    given_events = events(*sizes)
    parts = parts_of(given_events)
    assert [event for part in parts for event in part] == given_events
    assert all(sum(len(event.told_event) for event in part) <= NOTIFICATION_BYTES for part in parts)
    assert all(part for part in parts) or parts == [[]]
