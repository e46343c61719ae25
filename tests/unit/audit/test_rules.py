"""What is stored of an entry, and how records are chained: pure."""

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkwire.audit import rules
from talkwire.audit.model import Act, Draft, Entry, Head, Told
from talkwire.audit.refusals import MOST_DIFFERENT, MOST_REMEMBERED, Refusals
from talkwire.kernel.clock import MovableClock

CONSUMER = "0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5"
UUID = "11111111-2222-3333-4444-555555555555_02-01-2024_03-04-05-678.PNG"


def path(uploader: str) -> str:
    return f"/v1/AUTH_async-images/12345678/{uploader}_uuid_{UUID}"


@pytest.mark.parametrize(
    ("uploader", "stored"),
    [
        (CONSUMER, "{consumer}"),
        ("another-consumer", "{other}"),
        ("f" * 64, "{other}"),
        ("evil_uuid_", "{other}"),
        ("12345678.282467514", "12345678.282467514"),
    ],
)
def test_no_path_names_a_consumer_in_the_clear(uploader: str, stored: str) -> None:
    assert rules.masked(path(uploader), CONSUMER) == path(stored)


def test_what_was_masked_is_put_back() -> None:
    assert rules.restored(rules.masked(path(CONSUMER), CONSUMER), CONSUMER) == path(CONSUMER)


def test_a_path_without_an_uploader_stays() -> None:
    older = "/v1/AUTH_async-images/12345678/11111111-2222-3333-4444-555555555555.JPG"
    assert rules.masked(older, CONSUMER) == older


@given(st.text(), st.text(), st.binary(), st.integers(0, 2**62))
def test_the_encoding_is_what_any_json_writer_makes(
    subject: str, detail: str, box: bytes, at_ms: int
) -> None:
    draft = Draft(at_ms, "served", rules.storable(subject, 50), "", "", "p", box, rules.storable(detail, 50))
    array = ["1", 1, *draft[:6], base64.b64encode(box).decode(), draft.detail]
    encoded = json.dumps(array, ensure_ascii=False, separators=(",", ":"))
    assert rules.link("1", rules.GENESIS, draft).hash == hashlib.sha256(bytes(32) + encoded.encode()).digest()


def test_a_code_is_of_one_account_one_head_and_one_key() -> None:
    head = Head(7, bytes(32))
    code = rules.code_of(b"k" * 32, "1", head)
    assert rules.is_code(code, b"k" * 32, "1", head)
    assert not rules.is_code(code, b"k" * 32, "2", head)
    assert not rules.is_code(code, b"k" * 32, "1", Head(8, bytes(32)))
    assert not rules.is_code(code, b"x" * 32, "1", head)


def refusal(
    reason: str = "FileTooLarge", who: str = "c", subject: str = "upload URL", path: str = ""
) -> Told:
    detail = {"reason": reason, **({"path": path} if path else {})}
    return Told(Entry("1", Act.REFUSED, subject, who, detail=detail), who, "192.0.2.7")


def test_the_same_refusal_is_told_once_a_minute_and_counted() -> None:
    clock = MovableClock()
    refusals = Refusals(clock)
    assert refusals.let_through(refusal()) == [refusal()]
    assert [refusals.let_through(refusal()) for _ in range(5)] == [[]] * 5
    assert refusals.let_through(refusal("FileTypeNotAllowed"))
    assert refusals.let_through(refusal(who="d"))
    clock.advance(seconds=60)
    (again,) = refusals.let_through(refusal())
    assert again.entry.detail == {"reason": "FileTooLarge", "not_told_before": 5}


def test_what_was_refused_is_part_of_what_makes_refusals_equal() -> None:
    refusals = Refusals(MovableClock())
    for told in (refusal(), refusal(subject="publish"), refusal(path="a"), refusal(path="b")):
        assert refusals.let_through(told) == [told]
        assert refusals.let_through(told) == []


def test_a_count_is_given_out_once_when_its_minute_is_over_or_at_once_for_all() -> None:
    clock = MovableClock()
    refusals = Refusals(clock)
    for _ in range(3):
        refusals.let_through(refusal(path="a"))
    refusals.let_through(refusal(path="b"))
    assert refusals.take_counts() == []
    assert refusals.take_counts(of_all=True) == [refusal(path="a").but(times=2)]
    for _ in range(4):
        refusals.let_through(refusal(path="a"))
    clock.advance(seconds=60)
    counts = refusals.take_counts()
    assert counts == [refusal(path="a").but(times=3)]
    assert refusals.take_counts(of_all=True) == []
    refusals.put_back([*counts, refusal(path="a"), refusal(path="a").but(not_told_before=7)])
    assert refusals.take_counts() == [refusal(path="a").but(times=3 + 1 + 8)]


def test_beyond_a_hundred_different_things_in_a_minute_the_rest_is_one_record() -> None:
    clock = MovableClock()
    refusals = Refusals(clock)
    told = [refusals.let_through(refusal(path=str(number))) for number in range(MOST_DIFFERENT + 20)]
    assert [len(one) for one in told] == [1] * (MOST_DIFFERENT + 1) + [0] * 19
    assert told[MOST_DIFFERENT][0].entry.subject == "more refusals"
    assert refusals.let_through(refusal(who="d"))[0].entry.subject == "upload URL"
    (rest,) = refusals.take_counts(of_all=True)
    assert (rest.entry.subject, rest.entry.detail["times"]) == ("more refusals", 19)
    clock.advance(seconds=60)
    assert refusals.let_through(refusal(path="x"))[0].entry.subject == "upload URL"


def test_so_many_are_refused_and_no_more_are_remembered_and_no_count_is_lost() -> None:
    refusals = Refusals(MovableClock())
    told = 0
    for number in range(MOST_REMEMBERED + 10):
        for one in [
            *refusals.let_through(refusal(who=str(number))),
            *refusals.let_through(refusal(who=str(number))),
        ]:
            told += int(one.entry.detail.get("times") or 1)
    assert len(refusals._windows) == MOST_REMEMBERED
    assert told == MOST_REMEMBERED + 20
