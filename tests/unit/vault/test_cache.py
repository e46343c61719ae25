from talkwire.kernel.clock import MovableClock
from talkwire.vault.cache import KeyCache


def test_an_entry_is_forgotten_after_its_time() -> None:
    clock = MovableClock()
    cache: KeyCache[str, int] = KeyCache(clock, size=10, seconds=10)
    cache.put("a", 1, cache.epoch)
    clock.advance(seconds=9.999)
    assert cache.get("a") == 1
    clock.advance(seconds=0.001)
    assert cache.get("a") is None
    assert len(cache) == 0


def test_a_clock_set_back_makes_nothing_live_longer() -> None:
    clock = MovableClock()
    cache: KeyCache[str, int] = KeyCache(clock, size=10, seconds=10)
    cache.put("a", 1, cache.epoch)
    clock.advance(seconds=-3600)
    assert cache.get("a") is None


def test_the_oldest_entry_makes_room() -> None:
    cache: KeyCache[str, int] = KeyCache(MovableClock(), size=2, seconds=10)
    for name in ("a", "b", "a", "c"):
        cache.put(name, 1, cache.epoch)
    assert [cache.get(name) for name in ("a", "b", "c")] == [1, None, 1]


def test_what_was_read_before_a_drop_is_not_put_in_after_it() -> None:
    cache: KeyCache[str, int] = KeyCache(MovableClock(), size=2, seconds=10)
    epoch = cache.epoch
    cache.drop("a")
    cache.put("a", 1, epoch)
    assert cache.get("a") is None
