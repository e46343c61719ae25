"""What is read of a picture before any decoder sees it: bounded, linear, never surprised."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.bombs import bombs
from corpus.case import SECRET
from corpus.mismatches import mismatches
from corpus.parts import (
    chunk,
    exif,
    exif_segment,
    gif,
    gif_extension,
    gif_with,
    jpeg,
    jpeg_with,
    png,
    png_with,
    segment,
)
from corpus.photos import photos
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.examine import examine
from talkwire.sanitation.exif import orientation_of
from talkwire.sanitation.model import Limits, Reason
from talkwire.sanitation.sniff import ImageType

LIMITS = Limits()
WHOLE = {ImageType.JPEG: jpeg, ImageType.PNG: png, ImageType.GIF: gif}


def reason_for(data: bytes, limits: Limits = LIMITS) -> Reason | None:
    try:
        examine(data, limits)
    except Rejected as rejected:
        return rejected.reason
    return None


@pytest.mark.parametrize("kind", ImageType)
def test_kind_and_size_are_read(kind: ImageType) -> None:
    header = examine(WHOLE[kind](), LIMITS)
    assert (header.image_type, header.width, header.height, header.orientation, header.frames) == (
        kind,
        96,
        64,
        1,
        1,
    )


@pytest.mark.parametrize(
    ("plain", "padded"),
    [
        (png(), png_with(chunk(b"prVt", bytes(100_000)), chunk(b"tRNS", bytes(5_000)))),
        (jpeg(), jpeg_with(segment(0xFE, bytes(50_000)), segment(0xDB, bytes(50_000)))),
        (gif(), gif_with(gif_extension(0xFE, bytes(50_000)))),
    ],
)
def test_what_codes_no_pixels_is_not_counted_as_picture(plain: bytes, padded: bytes) -> None:
    coded_bytes = examine(plain, LIMITS).coded_bytes
    assert 0 < coded_bytes < len(plain)
    assert examine(padded, LIMITS).coded_bytes == coded_bytes


@pytest.mark.parametrize("kind", ImageType)
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(side=96), None),
        (Limits(side=95), Reason.TOO_BIG),
        (Limits(pixels=96 * 64), None),
        (Limits(pixels=96 * 64 - 1), Reason.TOO_BIG),
    ],
)
def test_size_is_bounded_at_the_pixel(kind: ImageType, limits: Limits, reason: Reason | None) -> None:
    assert reason_for(WHOLE[kind](), limits) is reason


def test_what_a_decoder_gets_holds_no_word_of_the_uploader() -> None:
    assert [
        case.name
        for case in photos()
        if SECRET in examine(case.data, LIMITS).picture and "name" not in case.name
    ] == []


def test_frames_of_a_gif_are_counted_and_bounded() -> None:
    film = gif()[:-1] + gif()[gif().index(b"\x2c", 13 + 3 * 8) : -1] * 3 + b";"
    assert examine(film, LIMITS).frames == 4
    assert reason_for(film, Limits(frames=4)) is None
    assert reason_for(film, Limits(frames=3)) is Reason.TOO_MANY_FRAMES


def test_frames_of_an_animated_png_are_counted_and_bounded() -> None:
    film = png_with(*(chunk(b"fcTL", bytes(26)),) * 3)
    assert examine(film, LIMITS).frames == 4
    assert reason_for(film, Limits(frames=3)) is Reason.TOO_MANY_FRAMES


def test_scans_are_bounded_by_number_and_by_the_pixels_they_pass() -> None:
    picture = jpeg(progressive=True)
    scan = picture[picture.rindex(b"\xff\xda") : -2]
    own = picture.count(b"\xff\xda")
    assert reason_for(picture[:-2] + scan * (100 - own) + b"\xff\xd9") is None
    assert reason_for(picture[:-2] + scan * (101 - own) + b"\xff\xd9") is Reason.TOO_MANY_FRAMES
    assert (
        reason_for(picture[:-2] + scan * (20 - own) + b"\xff\xd9", Limits(pixels=96 * 64))
        is Reason.TOO_MANY_FRAMES
    )


def test_what_a_decoder_would_have_to_hold_is_bounded() -> None:
    picture = jpeg(progressive=True)
    held = examine(picture, LIMITS).held_bytes
    assert held == 2 * 96 * 64 * 3 or held == 96 * 64 * 3  # with or without subsampling
    assert reason_for(picture, Limits(memory_bytes=held)) is None
    assert reason_for(picture, Limits(memory_bytes=held - 1)) is Reason.TOO_COSTLY


@pytest.mark.parametrize("whole", [jpeg, png, gif])
def test_a_picture_that_ends_early_is_truncated_wherever_that_is(whole: Callable[[], bytes]) -> None:
    data = whole()
    assert {reason_for(data[:size]) for size in range(8, len(data))} <= {
        Reason.TRUNCATED,
        Reason.MALFORMED,
        Reason.CORRUPT,
    }


@pytest.mark.parametrize("order", "<>")
def test_the_orientation_is_read_in_both_byte_orders(order: str) -> None:
    assert [orientation_of(exif(value, order=order)) for value in range(10)] == [1, 1, 2, 3, 4, 5, 6, 7, 8, 1]


def test_the_first_exif_counts() -> None:
    data = jpeg_with(exif_segment(exif(6)), exif_segment(exif(3)))
    assert examine(data, LIMITS).orientation == 6


@given(st.binary(max_size=200), st.sampled_from([b"", b"II*\0", b"MM\0*", exif(6)[:60]]))
def test_no_exif_upsets_it(data: bytes, start: bytes) -> None:
    assert 1 <= orientation_of(start + data) <= 8


@pytest.mark.parametrize("kind", ImageType)
@settings(max_examples=300)
@given(st.data())
def test_no_bytes_upset_it(kind: ImageType, data: st.DataObject) -> None:
    whole = bytearray(WHOLE[kind]())
    at = data.draw(st.integers(0, len(whole)))
    size = data.draw(st.integers(0, 20))
    whole[at : at + size] = data.draw(st.binary(max_size=40))
    if reason_for(bytes(whole)) is None:
        picture = examine(bytes(whole), LIMITS).picture
        assert examine(picture, LIMITS).picture == picture  # there is nothing more to leave out


def test_nothing_takes_long() -> None:
    """Some of these are 5 MB of something that a careless reader would crawl through."""
    slow = {}
    for case in (*bombs(), *mismatches(), *photos()):
        began = time.process_time()
        reason_for(case.data)
        took = time.process_time() - began
        if took > 0.2:
            slow[case.name] = took
    assert slow == {}


def test_nested_blocks_cost_their_length_and_no_more() -> None:
    assert reason_for(gif_with(gif_extension(0xFE, b"x" * 500_000))) is None
    assert reason_for(jpeg_with(*(segment(0xFE, b"x" * 60_000),) * 50)) is None
