"""Refusals on record, without letting whoever is refused fill the disk."""

from collections import OrderedDict

import msgspec

from talkwire.audit.model import Entry, Scalar
from talkwire.kernel.clock import Clock

WINDOW_MS = 60_000
MOST_REMEMBERED = 20_000


class Refusals:
    """Lets the first of equal refusals through, and one a minute after it, which says how many there were."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: OrderedDict[tuple[str, ...], tuple[int, int]] = OrderedDict()  # start, held back since

    def let_through(self, entry: Entry, who: str) -> Entry | None:
        """The entry to record now, or None. Equal: the same account, person asking, act and reason."""
        key = (entry.account_id, who, entry.consumer_id, entry.act, str(entry.detail.get("reason", "")))
        now_ms = self._clock.now_ms()
        start_ms, held_back = self._windows.get(key, (now_ms - WINDOW_MS, 0))
        if 0 <= now_ms - start_ms < WINDOW_MS:
            self._windows[key] = start_ms, held_back + 1
            return None
        self._windows.pop(key, None)
        self._windows[key] = now_ms, 0
        if len(self._windows) > MOST_REMEMBERED:
            self._windows.popitem(last=False)
        if not held_back:
            return entry
        detail: dict[str, Scalar] = {**entry.detail, "not_told_before": held_back}
        return msgspec.structs.replace(entry, detail=detail)
