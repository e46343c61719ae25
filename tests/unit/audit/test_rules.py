"""What is stored of an entry, and how records are chained: pure."""

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkwire.audit import rules
from talkwire.audit.model import Act, Draft, Entry, Head
from talkwire.audit.refusals import MOST_REMEMBERED, Refusals
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


def refusal(reason: str = "FileTooLarge", consumer_id: str = "c") -> Entry:
    return Entry("1", Act.REFUSED, "upload URL", consumer_id, detail={"reason": reason})


def test_the_same_refusal_is_told_once_a_minute_and_counted() -> None:
    clock = MovableClock()
    refusals = Refusals(clock)
    assert refusals.let_through(refusal(), "c") == refusal()
    assert [refusals.let_through(refusal(), "c") for _ in range(5)] == [None] * 5
    assert refusals.let_through(refusal("FileTypeNotAllowed"), "c") is not None
    assert refusals.let_through(refusal(consumer_id="d"), "d") is not None
    clock.advance(seconds=60)
    again = refusals.let_through(refusal(), "c")
    assert again is not None
    assert again.detail == {"reason": "FileTooLarge", "not_told_before": 5}


def test_so_many_are_refused_and_no_more_are_remembered() -> None:
    refusals = Refusals(MovableClock())
    for number in range(MOST_REMEMBERED + 10):
        refusals.let_through(refusal(), str(number))
    assert len(refusals._windows) == MOST_REMEMBERED
