"""How fast an app may call: so many a second, and a burst on top."""

from talkwire.connectors.errors import TooManySends

MAX_KEYS = 10_000


class Rates:
    """A bucket per key, filled by the clock. What was idle long enough is full again, so it can be forgotten."""

    def __init__(self, per_second: int, burst: int) -> None:
        self._per_ms = per_second / 1000
        self._burst = float(burst)
        self._buckets: dict[tuple[str, str], list[float]] = {}  # left, filled at

    def take(self, account_id: str, client_id: str, now_ms: int) -> None:
        """Take one. Raises TooManySends, with the time after which there is one again."""
        bucket = self._buckets.get((account_id, client_id))
        if bucket is None:
            bucket = self._open(account_id, client_id, now_ms)
        left, filled_at = bucket
        if now_ms > filled_at:
            left = min(left + (now_ms - filled_at) * self._per_ms, self._burst)
            bucket[1] = now_ms
        bucket[0] = left
        if left < 1:
            wait_ms = (1 - left) / self._per_ms
            raise TooManySends("The app calls too often; slow down", max(1, round(wait_ms / 1000 + 0.5)))
        bucket[0] = left - 1

    def _open(self, account_id: str, client_id: str, now_ms: int) -> list[float]:
        if len(self._buckets) >= MAX_KEYS:
            self._buckets.clear()
        bucket = self._buckets[account_id, client_id] = [self._burst, float(now_ms)]
        return bucket
