"""Who asked for a download URL, remembered for as long as it lives: a URL says what it opens, not whose it is.

A path and an expiry are all that whoever holds a URL shows. So whoever asks for a path in a second in which
another did is given an earlier expiry: each belongs to one asker. Consumers are given even ones, agents odd ones: what
another node or a former run signed for a consumer is never taken for an agent's, whose address is recorded in
the clear.
"""

from collections import OrderedDict

from talkwire.files.model import Asker
from talkwire.kernel.clock import Clock

SPREAD_SECONDS = 10
"""How much earlier an expiry may be; who finds no free one shares the last, and then nobody knows whose it is."""

CAPACITY = 100_000


class Askers:
    """Remembers askers by path and expiry (unix seconds). What is not remembered is nobody's."""

    def __init__(self, clock: Clock, life_seconds: int, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._spread = min(SPREAD_SECONDS, life_seconds // 6)  # a short life is not made much shorter
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, int], Asker | None] = OrderedDict()  # None: of several
        self._full_until = 0  # half a memory of a second would name the wrong one

    def enter(self, asker: Asker, relative_path: str, latest: int) -> int:
        """The expiry of the URL that this asker is given: `latest`, or a few seconds earlier."""
        if not self._spread:
            return latest
        expires = latest - (latest % 2 != int(not asker.is_consumer))
        while (known := self._known.get((relative_path, expires), _FREE)) is not _FREE:
            if known == asker:
                return expires
            if expires - 2 < latest - self._spread:
                self._known[relative_path, expires] = None
                return expires
            expires -= 2
        if self._has_room(latest):
            self._known[relative_path, expires] = asker
        return expires

    def find(self, relative_path: str, expires: int) -> Asker | None:
        """Whose URL this is, of those that this node signed; None when several share it, or nobody is remembered."""
        return self._known.get((relative_path, expires))

    def _has_room(self, latest: int) -> bool:
        now = self._clock.now_ms() // 1000
        while self._known and next(iter(self._known))[1] < now:
            self._known.popitem(last=False)
        if len(self._known) >= self._capacity:
            self._full_until = latest + self._spread
        return latest > self._full_until


_FREE = Asker("", is_consumer=False)
