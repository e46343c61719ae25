"""From refusals to codes. Source: docs/protocol.md 3.8, 4.2, 9.6."""

import pytest

from talkwire.files.errors import FileNotFound, MaySendNoFiles
from talkwire.kernel.errors import ErrorKind, NotFound, TalkwireError
from talkwire.protocol.envelope import Dialect
from talkwire.protocol.status import STATUS, Close, error_body, status_of


def test_every_kind_of_refusal_has_a_code_and_a_title() -> None:
    assert set(STATUS) == set(ErrorKind)
    assert all(400 <= status.code < 600 and status.title for status in STATUS.values())
    assert len({status.code for status in STATUS.values()}) == len(STATUS)


def _refusals(base: type[TalkwireError] = TalkwireError) -> list[type[TalkwireError]]:
    found = []
    for each in base.__subclasses__():
        found += [each, *_refusals(each)]
    return found


@pytest.mark.parametrize("refusal", _refusals(), ids=lambda refusal: refusal.__name__)
def test_every_refusal_of_every_room_has_a_kind_and_a_number(refusal: type[TalkwireError]) -> None:
    assert refusal.kind in STATUS
    assert 1 <= refusal.number < 100


def test_the_error_code_is_the_http_code_and_a_number() -> None:
    status, number = status_of(MaySendNoFiles())
    assert (status.code, number) == (403, 40302)


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (None, (404, 40401)),
        (Dialect.V3, (404, 40401)),
        (Dialect.V2, (500, 50001)),
        (Dialect.V2_1, (500, 50001)),
    ],
)
def test_a_file_that_is_not_there_is_500_on_v2(dialect: Dialect | None, expected: tuple[int, int]) -> None:
    code, body = error_body(FileNotFound(), dialect)
    assert (code, body.error_code) == expected
    assert body.details


def test_other_refusals_are_the_same_on_every_version() -> None:
    assert {error_body(NotFound("x"), dialect)[0] for dialect in (None, *Dialect)} == {404}


def test_a_refusal_without_words_is_told_by_its_title() -> None:
    _, body = error_body(NotFound())
    assert (body.title, body.details, body.error_code) == ("Not found", "Not found", 40401)


def test_no_close_code_is_one_that_clients_take_for_a_failed_sign_in() -> None:
    """Source: docs/protocol.md 3.8: 1008 and 1011 are not sent on purpose."""
    used = {Close.NORMAL, Close.GOING_AWAY, Close.TOO_BIG, Close.TRY_AGAIN_LATER, Close.TOKEN_INVALID}
    assert not used & {1008, 1011}
