"""What bytes are, whatever they are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictures import png
from talkwire.sanitation.sniff import HEAD_BYTES, TAIL_BYTES, ImageType, Sample, sniff_whole

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(200) + b"\xff\xd9"
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + bytes(20) + b"\x3b"
PNG = png(3, 2)


@pytest.mark.parametrize(("data", "kind"), [(JPEG, "JPEG"), (GIF, "GIF"), (PNG, "PNG")])
def test_a_whole_image_is_known_by_its_bytes(data: bytes, kind: str) -> None:
    found = sniff_whole(data)
    assert found is ImageType(kind)
    assert found.content_type == f"image/{kind.lower()}"


@pytest.mark.parametrize("data", [JPEG, GIF, PNG], ids=["jpeg", "gif", "png"])
def test_an_image_that_was_cut_off_is_none(data: bytes) -> None:
    assert sniff_whole(data[:-1]) is None
    assert sniff_whole(data[: len(data) // 2]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x01" + bytes(50) + b"\xff\xd9",
        b"\xff\xd8\xff\x00\x00\x10" + bytes(50) + b"\xff\xd9",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html>\xff\xd8\xff\xe0</html>",
        b"%PDF-1.7\n%%EOF",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"BM" + bytes(60),
        b"GIF89a\x00\x00\x01\x00\x80\x00\x00\x3b",
        b"GIF88a\x01\x00\x01\x00\x80\x00\x00\x3b",
        PNG.replace(b"IHDR", b"iHDR"),
        PNG[:16] + bytes(4) + PNG[20:],
        PNG[:16] + b"\x00\x01\x00\x00" + PNG[20:],
    ],
)
def test_what_only_looks_like_an_image_is_none(data: bytes) -> None:
    assert sniff_whole(data) is None


def test_a_trailer_that_a_camera_wrote_behind_the_end_is_borne() -> None:
    assert sniff_whole(JPEG + b"SEFT" * 100) is ImageType.JPEG
    assert sniff_whole(PNG + b"\x00" * 64) is ImageType.PNG
    assert sniff_whole(GIF + b"\x00" * 64) is ImageType.GIF
    assert sniff_whole(JPEG + bytes(TAIL_BYTES)) is None


@given(st.binary(max_size=100_000), st.integers(min_value=1, max_value=40_000))
def test_a_sample_has_both_ends_however_the_stream_is_cut(data: bytes, size: int) -> None:
    sample = Sample()
    for start in range(0, len(data), size):
        sample.add(data[start : start + size])
    assert sample.size_bytes == len(data)
    assert sample.head == data[:HEAD_BYTES]
    assert sample.tail == data[-TAIL_BYTES:]


@given(st.binary(max_size=300))
def test_no_bytes_upset_it(data: bytes) -> None:
    for start in (b"", JPEG[:4], GIF[:6], PNG[:20]):
        sniff_whole(start + data)
