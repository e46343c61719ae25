"""Sealing files: what comes back, and what is noticed."""

import hashlib
import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkwire.vault import streaming
from talkwire.vault.errors import Tampered
from talkwire.vault.streaming import (
    FIRST_PLAIN_BYTES,
    HEADER_BYTES,
    PLAIN_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    Opener,
    Sealer,
    open_whole,
    plain_size,
    seal_whole,
    sealed_size,
    segments_for,
)

KEY = bytes(range(32))
AAD = b"aad"
EDGES = sorted(
    {
        max(edge + shift, 0)
        for edge in (
            0,
            FIRST_PLAIN_BYTES,
            FIRST_PLAIN_BYTES + PLAIN_BYTES,
            FIRST_PLAIN_BYTES + 3 * PLAIN_BYTES,
        )
        for shift in (-1, 0, 1)
    }
)


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def pieces(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = next(sizes)
        yield data[at : at + size]
        at += size


def segments(sealed: bytes) -> list[bytes]:
    """The segments of a sealed file, the first with the header."""
    return [sealed[at : at + SEGMENT_BYTES] for at in range(0, len(sealed), SEGMENT_BYTES)]


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    altered = bytearray(data)
    altered[at] ^= 1 << bit
    return bytes(altered)


# --- what comes back ---


@pytest.mark.parametrize("size", EDGES)
def test_a_file_comes_back(size: int) -> None:
    sealed = seal_whole(KEY, AAD, content(size))
    assert len(sealed) == sealed_size(size)
    assert plain_size(len(sealed)) == size
    assert open_whole(KEY, AAD, sealed) == content(size)


@given(
    size=st.integers(0, 3 * SEGMENT_BYTES),
    parts=st.lists(st.integers(1, 2 * SEGMENT_BYTES), min_size=1, max_size=8),
)
def test_it_does_not_matter_how_the_bytes_come(size: int, parts: list[int]) -> None:
    sealer = Sealer(KEY, AAD, salt=b"s" * 32, prefix=b"p" * 7)
    sealed = [
        out
        for piece in pieces(content(size), itertools.cycle(parts))
        for out in sealer.push(memoryview(piece))
    ]
    sealed += sealer.finish()
    at_once = Sealer(KEY, AAD, salt=b"s" * 32, prefix=b"p" * 7)
    assert b"".join(sealed) == b"".join([*at_once.push(content(size)), *at_once.finish()])


@given(
    size=st.sampled_from(EDGES),
    start=st.integers(0, 4 * SEGMENT_BYTES),
    length=st.integers(0, 4 * SEGMENT_BYTES),
    parts=st.lists(st.integers(1, 2 * SEGMENT_BYTES), min_size=1, max_size=5),
)
def test_any_range_opens_alone(size: int, start: int, length: int, parts: list[int]) -> None:
    sealed = seal_whole(KEY, AAD, content(size))
    reading = Opener(KEY, AAD, sealed[:HEADER_BYTES], len(sealed)).range(start, length)
    span = reading.span
    wanted = sealed[span.sealed_start : span.sealed_end]
    plain = [out for piece in pieces(wanted, itertools.cycle(parts)) for out in reading.push(piece)]
    reading.finish()
    assert b"".join(plain) == content(size)[start : start + length]
    assert span.length == len(content(size)[start : start + length])


def test_a_range_reads_no_more_segments_than_it_needs() -> None:
    plain_bytes = 10 * PLAIN_BYTES
    first = segments_for(0, 1, plain_bytes)
    assert (first.sealed_start, first.sealed_end, first.skip) == (HEADER_BYTES, SEGMENT_BYTES, 0)
    second = segments_for(FIRST_PLAIN_BYTES, 1, plain_bytes)
    assert (second.sealed_start, second.sealed_end) == (SEGMENT_BYTES, 2 * SEGMENT_BYTES)
    both = segments_for(FIRST_PLAIN_BYTES - 1, 2, plain_bytes)
    assert (both.sealed_start, both.sealed_end) == (HEADER_BYTES, 2 * SEGMENT_BYTES)
    last = segments_for(plain_bytes - 1, 99, plain_bytes)
    assert (last.sealed_end, last.length) == (sealed_size(plain_bytes), 1)


def test_an_upload_holds_one_segment_at_most() -> None:
    sealer = Sealer(KEY, AAD)
    for _ in range(50):
        out = sealer.push(bytes(100_000))
        assert sum(map(len, out)) <= 100_000 + SEGMENT_BYTES + HEADER_BYTES
        assert len(sealer._held) <= SEGMENT_BYTES


def test_two_files_of_the_same_bytes_look_different() -> None:
    one, two = (seal_whole(KEY, AAD, bytes(1000)) for _ in range(2))
    assert one[HEADER_BYTES:] != two[HEADER_BYTES:]
    assert one[1:HEADER_BYTES] != two[1:HEADER_BYTES]


def test_a_finished_file_takes_no_more() -> None:
    sealer = Sealer(KEY, AAD)
    sealer.finish()
    with pytest.raises(ValueError, match="finished"):
        sealer.finish()


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(33)])
def test_a_key_of_another_size_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(key, AAD)


# --- what is noticed ---

THREE = seal_whole(KEY, AAD, content(FIRST_PLAIN_BYTES + PLAIN_BYTES + 1000))
OTHER = seal_whole(KEY, AAD, content(FIRST_PLAIN_BYTES + PLAIN_BYTES + 999))


@given(at=st.integers(0, len(THREE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_wherever_it_is(at: int, bit: int) -> None:
    with pytest.raises(Tampered):
        open_whole(KEY, AAD, flipped(THREE, at, bit))


@given(size=st.integers(0, len(THREE) - 1))
def test_a_cut_file_is_noticed_wherever_it_was_cut(size: int) -> None:
    with pytest.raises(Tampered):
        open_whole(KEY, AAD, THREE[:size])


@given(more=st.binary(min_size=1, max_size=2 * SEGMENT_BYTES))
def test_a_longer_file_is_noticed(more: bytes) -> None:
    with pytest.raises(Tampered):
        open_whole(KEY, AAD, THREE + more)


@pytest.mark.parametrize(
    "order", [order for order in itertools.product(range(3), repeat=3) if order != (0, 1, 2)]
)
def test_segments_in_another_order_are_noticed(order: tuple[int, ...]) -> None:
    parts = segments(THREE)
    with pytest.raises(Tampered):
        open_whole(KEY, AAD, b"".join(parts[n] for n in order))


@pytest.mark.parametrize("count", [1, 2])
def test_a_file_that_ends_at_a_segment_s_end_is_noticed(count: int) -> None:
    with pytest.raises(Tampered):
        open_whole(KEY, AAD, b"".join(segments(THREE)[:count]))


@pytest.mark.parametrize("number", range(3))
def test_a_segment_of_another_file_under_the_same_key_is_noticed(number: int) -> None:
    mixed = segments(THREE)
    mixed[number] = segments(OTHER)[number]
    with pytest.raises(Tampered):
        open_whole(KEY, AAD, b"".join(mixed))


def test_another_header_key_or_name_is_noticed() -> None:
    for key, aad, sealed in (
        (bytes(32), AAD, THREE),
        (KEY, b"bad", THREE),
        (KEY, AAD, OTHER[:HEADER_BYTES] + THREE[HEADER_BYTES:]),
        (KEY, AAD, b"\x18" + THREE[1:]),
        (KEY, AAD, b""),
    ):
        with pytest.raises(Tampered):
            open_whole(key, aad, sealed)


def test_of_an_altered_file_the_untouched_segments_still_open_and_the_other_does_not() -> None:
    altered = flipped(THREE, SEGMENT_BYTES + 5)
    opener = Opener(KEY, AAD, altered[:HEADER_BYTES], len(altered))
    assert opener.open_segment(0, altered[HEADER_BYTES:SEGMENT_BYTES])
    with pytest.raises(Tampered):
        opener.open_segment(1, altered[SEGMENT_BYTES : 2 * SEGMENT_BYTES])


def test_a_range_that_comes_short_or_goes_on_is_noticed() -> None:
    opener = Opener(KEY, AAD, THREE[:HEADER_BYTES], len(THREE))
    reading = opener.range(0, 10)
    reading.push(THREE[reading.span.sealed_start : reading.span.sealed_end - 1])
    with pytest.raises(Tampered):
        reading.finish()
    reading = opener.range(0, 10)
    with pytest.raises(Tampered):
        reading.push(THREE[reading.span.sealed_start : reading.span.sealed_end + 1])


@given(size=st.integers(0, 5 * SEGMENT_BYTES))
def test_only_lengths_that_a_file_can_have_are_taken(size: int) -> None:
    try:
        plain_bytes = plain_size(size)
    except Tampered:
        last = size % SEGMENT_BYTES or SEGMENT_BYTES
        assert size < HEADER_BYTES + TAG_BYTES or last <= TAG_BYTES
    else:
        assert sealed_size(plain_bytes) == size


# --- the construction, fixed for good: these vectors stand in docs/security-vectors.md ---

SALT, PREFIX = bytes(range(32, 64)), bytes(range(64, 71))
VECTORS = [
    (0, b"", "f67773219630f3b3c66441aa9a38f1dcc347af8232e0b06b77e1cb619bdf88a5"),
    (5, b"talkwire", "e2e2e24a72f78a0e730a16385a6bff835bb20c6449da995ce00e3adb01332fc1"),
    (FIRST_PLAIN_BYTES, b"", "ec22496aeaefc72a6b22e1aca0079f278610f15f2e5de17f2b1dc013ed1eec9d"),
    (FIRST_PLAIN_BYTES + 1, b"talkwire", "8babc3e58b0ca8464c5c6d17c56ddb549a43a7ab9a7714396181b9f24eeafc1e"),
    (200_000, b"talkwire", "4744288395fdc38b84bc052c0867bd680f77b5ae006e3af6f20a0f26341908c5"),
]


def vector(size: int, aad: bytes) -> bytes:
    sealer = Sealer(KEY, aad, salt=SALT, prefix=PREFIX)
    plain = bytes(n % 251 for n in range(size))
    return b"".join([*sealer.push(plain), *sealer.finish()])


@pytest.mark.parametrize(("size", "aad", "digest"), VECTORS)
def test_the_construction_does_not_change(size: int, aad: bytes, digest: str) -> None:
    assert hashlib.sha256(vector(size, aad)).hexdigest() == digest


def test_no_file_is_longer_than_its_segments_can_be_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_SEGMENTS", 2)
    sealer = Sealer(KEY, AAD)
    with pytest.raises(ValueError, match="number"):
        sealer.push(bytes(3 * SEGMENT_BYTES))
