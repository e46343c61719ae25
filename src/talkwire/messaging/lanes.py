"""Keeping one dialog's publishes in order while its conversation changes under them.

A publish is judged on a view and appended with the view's version; if the version moved on meanwhile it
comes back STALE and is judged again. A lane holds back what comes after it until then.
"""

from collections import deque

from talkwire.messaging.logged import LoggedEvent


class Lane:
    """The publishes of one dialog that are under way. Exists only while there are any."""

    __slots__ = ("held", "in_flight", "stale", "version")

    def __init__(self, version: int) -> None:
        self.version = version  # of those in flight
        self.in_flight = 0
        self.stale: deque[LoggedEvent] = deque()  # came back, in order
        self.held: deque[LoggedEvent] = deque()  # arrived since, in order

    def must_wait(self, version: int) -> bool:
        """Would an append at this version overtake one that is coming back?"""
        return bool(self.stale or self.held) or (self.in_flight > 0 and self.version != version)

    def take_waiting(self) -> list[LoggedEvent]:
        """Everything that waits, those that came back first."""
        waiting = [*self.stale, *self.held]
        self.stale.clear()
        self.held.clear()
        return waiting


class Lanes:
    """Every lane, by account and dialog."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str], Lane] = {}

    def lane_of(self, account_id: str, dialog_id: str, version: int) -> Lane:
        key = (account_id, dialog_id)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(version)
        elif not lane.in_flight:
            lane.version = version
        return lane

    def drop_if_idle(self, account_id: str, dialog_id: str, lane: Lane) -> None:
        if not (lane.in_flight or lane.stale or lane.held):
            self._lanes.pop((account_id, dialog_id), None)

    def is_open(self, account_id: str, dialog_id: str) -> bool:
        """Is anything under way in this dialog?"""
        return (account_id, dialog_id) in self._lanes

    def __len__(self) -> int:
        return len(self._lanes)
