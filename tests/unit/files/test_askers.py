"""Whose a download URL is: one asker for each path and expiry, and nobody rather than the wrong one."""

from talkwire.files.askers import SPREAD_SECONDS, Askers
from talkwire.files.model import Asker
from talkwire.kernel.clock import MovableClock

PATH = "/v1/AUTH_async-images/1/x.PNG"
ADA, BOB = Asker("ada", is_consumer=True), Asker("bob", is_consumer=False)


def latest(clock: MovableClock) -> int:
    return clock.now_ms() // 1000 + 60


def test_each_asker_of_a_second_has_an_expiry_of_its_own() -> None:
    clock = MovableClock()
    askers = Askers(clock, 60)
    people = [ADA, BOB, Asker("cy", is_consumer=True), Asker("dan", is_consumer=False)]
    given = [askers.enter(who, PATH, latest(clock)) for who in people]
    assert len(set(given)) == 4
    assert [askers.find(PATH, expires) for expires in given] == people
    assert askers.enter(ADA, PATH, latest(clock)) == given[0]
    assert askers.find("/another", given[0]) is None


def test_no_consumers_expiry_is_ever_an_agents() -> None:
    clock = MovableClock()
    for _ in range(2):
        assert Askers(clock, 60).enter(ADA, PATH, latest(clock)) % 2 == 0
        assert Askers(clock, 60).enter(BOB, PATH, latest(clock)) % 2 == 1
        clock.advance(seconds=1)


def test_what_too_many_ask_for_in_one_second_is_nobodys() -> None:
    clock = MovableClock()
    askers = Askers(clock, 60)
    crowd = [Asker(str(number), is_consumer=True) for number in range(9)]
    given = [askers.enter(who, PATH, latest(clock)) for who in crowd]
    assert latest(clock) - SPREAD_SECONDS <= min(given) <= max(given) <= latest(clock)
    for who, expires in zip(crowd, given, strict=True):
        assert askers.find(PATH, expires) == (who if given.count(expires) == 1 else None)
    assert askers.find(PATH, given[-1]) is None


def test_a_full_memory_names_nobody_until_the_second_is_over() -> None:
    clock = MovableClock()
    askers = Askers(clock, 60, capacity=2)
    given = [askers.enter(ADA, path, latest(clock)) for path in ("a", "b", "c")]
    assert [askers.find(path, expires) for path, expires in zip("abc", given, strict=True)] == [
        ADA,
        ADA,
        None,
    ]
    clock.advance(seconds=SPREAD_SECONDS)
    assert askers.find("d", askers.enter(ADA, "d", latest(clock))) is None  # still full
    clock.advance(seconds=60 + SPREAD_SECONDS)
    assert askers.find("d", askers.enter(ADA, "d", latest(clock))) == ADA
    assert askers.find("a", given[0]) is None


def test_a_life_of_a_few_seconds_is_not_made_shorter_and_names_nobody() -> None:
    clock = MovableClock()
    askers = Askers(clock, 5)
    assert [askers.enter(who, PATH, latest(clock)) for who in (ADA, BOB)] == [latest(clock)] * 2
    assert askers.find(PATH, latest(clock)) is None
