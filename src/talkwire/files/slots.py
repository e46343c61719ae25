"""How many unspent upload slots each uploader holds, and how many uploads are under way. In memory.

A slot needs no row: its path says who may upload what kind of file, and the signature that we said so. What
is counted here only keeps one uploader from hoarding; after a restart, or on another node, the count
begins anew. See docs/decisions/0023-upload-slots-need-no-row.md.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from talkwire.files.errors import TempUrlInvalid, TooManySlots, TooManyUploads, UploadsTooFast
from talkwire.files.model import FileLimits, Uploader
from talkwire.files.paths import parse_path
from talkwire.kernel.ids import AccountId, ParticipantId

_SWEEP_FROM = 10_000
MINUTE_MS = 60_000


class SlotBook:
    """The unspent, unexpired slots of each uploader: a few numbers each."""

    def __init__(self, limits: FileLimits) -> None:
        self._limits = limits
        self._life_ms = limits.slot_seconds * 1000
        self._opened: dict[tuple[AccountId, ParticipantId], list[int]] = {}
        self._sweep_at = _SWEEP_FROM
        self._minute = 0
        self._in_minute: Counter[tuple[AccountId, ParticipantId]] = Counter()

    def open(
        self, account_id: AccountId, uploader_id: ParticipantId, uploader: Uploader, now_ms: int
    ) -> None:
        """Count a new slot, opened now.

        Raises TooManySlots with the wait until the oldest expires, UploadsTooFast with that for the next minute.
        """
        self._check_pace(account_id, uploader_id, uploader, now_ms)
        opened = self._opened.setdefault((account_id, uploader_id), [])
        self._forget_expired(opened, now_ms)
        limit = self._limits.max_slots(uploader)
        if len(opened) >= limit:
            raise TooManySlots(limit, -((now_ms - opened[0] - self._life_ms) // 1000))
        opened.append(now_ms)
        if len(self._opened) > self._sweep_at:
            self._sweep(now_ms)

    def _check_pace(
        self, account_id: AccountId, uploader_id: ParticipantId, uploader: Uploader, now_ms: int
    ) -> None:
        minute = now_ms // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._in_minute.clear()
        limit = self._limits.max_slots_per_minute(uploader)
        if self._in_minute[account_id, uploader_id] >= limit:
            raise UploadsTooFast(limit, -(-((minute + 1) * MINUTE_MS - now_ms) // 1000))
        self._in_minute[account_id, uploader_id] += 1

    def spend(self, account_id: AccountId, uploader_id: ParticipantId, opened_at_ms: int) -> None:
        """Give back the place of a slot that was used. Unknown is fine: opened before a restart."""
        opened = self._opened.get((account_id, uploader_id))
        if opened and opened_at_ms in opened:  # slots of the same millisecond are alike
            opened.remove(opened_at_ms)

    def _forget_expired(self, opened: list[int], now_ms: int) -> None:
        alive = next((i for i, at_ms in enumerate(opened) if now_ms - at_ms < self._life_ms), len(opened))
        del opened[:alive]

    def _sweep(self, now_ms: int) -> None:
        """Drop who holds nothing; rarely enough to cost each slot next to nothing."""
        for opened in self._opened.values():
            self._forget_expired(opened, now_ms)
        self._opened = {who: opened for who, opened in self._opened.items() if opened}
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self._opened))


class _Bound(NamedTuple):
    counted: tuple[str, ...]
    limit: int
    whose: str


class UploadsUnderWay:
    """A bound on PUTs at once: in all, of one account, of one uploader, and under one slot."""

    def __init__(self, limits: FileLimits) -> None:
        self._limits = limits
        self._held: Counter[tuple[str, ...]] = Counter()

    @contextmanager
    def one(self, relative_path: str) -> Iterator[None]:
        """Hold a place while a file arrives. Raises TooManyUploads."""
        bounds = self._bounds(relative_path)
        for bound in bounds:
            if self._held[bound.counted] >= bound.limit:
                raise TooManyUploads(bound.limit, bound.whose)
        self._held.update(bound.counted for bound in bounds)
        try:
            yield
        finally:
            for bound in bounds:
                self._held[bound.counted] -= 1
                if not self._held[bound.counted]:
                    del self._held[bound.counted]

    def _bounds(self, relative_path: str) -> tuple[_Bound, ...]:
        """The narrowest first: whoever is refused hears of what it can mend itself."""
        limits, named = self._limits, parse_path(relative_path)
        if named is None:
            raise TempUrlInvalid
        account, uploader = (named.account_id,), (named.account_id, named.participant_id)
        return (
            _Bound((*uploader, relative_path), limits.uploads_per_slot, "of one slot"),
            _Bound(uploader, limits.max_uploads(named.uploader), "of one uploader"),
            _Bound(account, limits.uploads_per_account, "of one account"),
            _Bound((), limits.uploads, ""),
        )
