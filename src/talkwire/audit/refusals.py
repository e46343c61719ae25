"""Refusals on record, without letting whoever is refused fill the disk."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from talkwire.audit.model import Entry, Told
from talkwire.kernel.clock import Clock

WINDOW_MS = 60_000
MOST_REMEMBERED = 20_000
MOST_DIFFERENT = 100
"""How many different refusals of one person are told in a minute; the rest are counted in one record."""

THE_REST = "more refusals"

Key = tuple[str, ...]


class _Window(NamedTuple):
    start_ms: int
    held_back: int = 0
    last: Told | None = None  # of what was held back


class Refusals:
    """Lets the first of equal refusals through; what comes within a minute of it is counted.

    A count goes with the next one, or by itself once the minute is over (`take_counts`).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: OrderedDict[Key, _Window] = OrderedDict()
        self._different: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()  # start, how many

    def let_through(self, told: Told) -> list[Told]:
        """What to record now: the refusal, or nothing; and counts that there is no room for any more.

        Equal: the same account, person asking, act, reason and subject, with the path and the conversation
        that were asked for.
        """
        now_ms = self._clock.now_ms()
        key, window = self._find(told, now_ms)
        if _is_over(window, now_ms) and not self._may_be_told(told, now_ms):
            told = _the_rest(told)
            key, window = self._find(told, now_ms)
        if not _is_over(window, now_ms):
            self._windows[key] = _Window(window.start_ms, window.held_back + 1, told)
            return []
        self._windows.pop(key, None)
        self._windows[key] = _Window(now_ms)
        first = told.but(not_told_before=window.held_back) if window.held_back else told
        return [first, *self._make_room()]

    def take_counts(self, *, of_all: bool = False) -> list[Told]:
        """What was held back in minutes that are over, or in all: a record of each. It is forgotten here."""
        now_ms = self._clock.now_ms()
        over = [key for key, window in self._windows.items() if of_all or _is_over(window, now_ms)]
        return [count for key in over for count in _count_of(self._windows.pop(key))]

    def put_back(self, unrecorded: Sequence[Told]) -> None:
        """What was given out could not be recorded: it counts as held back."""
        for told in unrecorded:
            detail = dict(told.entry.detail)
            alone = 1 + int(detail.pop("not_told_before", None) or 0)
            times = int(detail.pop("times", None) or alone)
            bare = told._replace(entry=msgspec.structs.replace(told.entry, detail=detail))
            key, window = self._find(bare, self._clock.now_ms())
            self._windows[key] = _Window(window.start_ms, window.held_back + times, bare)

    def _find(self, told: Told, now_ms: int) -> tuple[Key, _Window]:
        """The minute that a refusal falls into; one that is over when there is none."""
        key = _key_of(told)
        return key, self._windows.get(key) or _Window(now_ms - WINDOW_MS)

    def _may_be_told(self, told: Told, now_ms: int) -> bool:
        """Whether this person's different refusals are not too many yet in this minute."""
        person = told.entry.account_id, told.who
        start_ms, count = self._different.pop(person, (now_ms, 0))
        if not 0 <= now_ms - start_ms < WINDOW_MS:
            start_ms, count = now_ms, 0
        self._different[person] = start_ms, min(count + 1, MOST_DIFFERENT + 1)
        if len(self._different) > MOST_REMEMBERED:
            self._different.popitem(last=False)
        return count < MOST_DIFFERENT

    def _make_room(self) -> list[Told]:
        if len(self._windows) <= MOST_REMEMBERED:
            return []
        return _count_of(self._windows.popitem(last=False)[1])


def _key_of(told: Told) -> Key:
    entry = told.entry
    asked = (str(entry.detail.get(name, "")) for name in ("reason", "path", "conversation"))
    return entry.account_id, told.who, entry.consumer_id, entry.act, entry.subject, *asked


def _the_rest(told: Told) -> Told:
    """Stands for all that one person was refused beyond so many different things in a minute."""
    entry = told.entry
    detail = {"reason": f"refused more than {MOST_DIFFERENT} different things in a minute"}
    changed = Entry(
        entry.account_id, entry.act, THE_REST, entry.consumer_id, entry.actor, detail, entry.is_anybodys
    )
    return told._replace(entry=changed)


def _is_over(window: _Window, now_ms: int) -> bool:
    return not 0 <= now_ms - window.start_ms < WINDOW_MS


def _count_of(window: _Window) -> list[Told]:
    return [window.last.but(times=window.held_back)] if window.last is not None else []
