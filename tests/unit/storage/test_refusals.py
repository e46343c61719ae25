"""Refusals cross the socket pair as what they are."""

import pytest

from talkwire.files.errors import (
    BodyTooLarge,
    FileNotFound,
    NotJudgedYet,
    QuotaUsedUp,
    TempUrlInvalid,
    TooManyUploads,
    UploadTooSlow,
)
from talkwire.kernel.errors import NotImplementedHere, StorageFull, TalkwireError, TooMany, Unavailable
from talkwire.storage.refusals import pack, unpack
from talkwire.vault.errors import KeyDestroyed


@pytest.mark.parametrize(
    "refusal",
    [
        TempUrlInvalid(),
        FileNotFound(),
        NotJudgedYet(),
        UploadTooSlow(4096, 120),
        BodyTooLarge(1000),
        TooManyUploads(4),
        StorageFull("full"),
        Unavailable("down"),
    ],
)
def test_what_the_endpoint_tells_apart_arrives_as_it_was(refusal: TalkwireError) -> None:
    arrived = unpack(pack(refusal))
    assert (type(arrived), str(arrived)) == (type(refusal), str(refusal))


def test_a_wait_arrives_too() -> None:
    arrived = unpack(pack(QuotaUsedUp("files a day", 5, 77)))
    assert isinstance(arrived, TooMany)
    assert arrived.retry_after_seconds == 77


def test_one_of_another_room_arrives_as_its_kind() -> None:
    assert unpack(pack(KeyDestroyed("ab"))).kind is KeyDestroyed.kind


def test_one_that_nothing_fits_is_unavailable() -> None:
    assert type(unpack(pack(NotImplementedHere("no")))) is Unavailable
