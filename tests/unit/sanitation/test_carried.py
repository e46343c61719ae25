"""Pixels cannot be chosen so that what we encode is an archive, a page or a program, too."""

import math
import random

import pytest

from corpus.painted import FILTERS, archive, carrying
from talkwire.sanitation.carried import AS_THEY_ARE, SCHEME, TAGS, find_carried
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.model import Limits, Reason, Wish
from talkwire.sanitation.pixels import rebuild

NOISE = random.Random(3).randbytes(100_000)
FILE_BYTES = 3 * 1024 * 1024


@pytest.mark.parametrize(
    "known_by", [*AS_THEY_ARE, *TAGS, *(tag.upper() for tag in TAGS), SCHEME, b"JavaScript:"]
)
def test_what_is_foreign_is_found_anywhere(known_by: bytes) -> None:
    assert find_carried(NOISE) is None
    for encoded in (known_by, NOISE + known_by, NOISE[:5000] + known_by + NOISE, b"<:PK" + known_by):
        assert find_carried(encoded) == (SCHEME if known_by.lower() == SCHEME else known_by)


def test_chance_hardly_ever_looks_foreign_in_each_of_three_encodings() -> None:
    def by_chance(known_by: bytes, *, any_case: bool) -> float:
        ways = 2 ** sum(bytes([byte]).isalpha() for byte in known_by) if any_case else 1
        return float(FILE_BYTES * ways / 256 ** len(known_by))

    once = sum(by_chance(known_by, any_case=False) for known_by in AS_THEY_ARE)
    once += sum(by_chance(known_by, any_case=True) for known_by in (*TAGS, SCHEME))
    assert once < 0.01  # so seldom a picture is encoded once more
    assert -(math.expm1(-once) ** 3) < 1e-6  # so seldom one is refused


def test_an_archive_in_the_pixels_is_not_served() -> None:
    payload = archive()
    made = rebuild(carrying(payload, "up"), Wish(), Limits())
    assert payload not in made.image
    assert find_carried(made.image) is find_carried(made.preview) is None


def test_pixels_that_carry_something_whichever_way_they_are_encoded_are_refused() -> None:
    with pytest.raises(Rejected) as rejected:
        rebuild(carrying(b"PK\x03\x04<SCRIPT>", *FILTERS), Wish(), Limits())
    assert rejected.value.reason is Reason.POLYGLOT
