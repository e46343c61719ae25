"""What one sees is what one saw: upright, in the right colours, no larger than asked for."""

import contextlib
import gc
import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import pyvips

from corpus.clean import complaints
from corpus.parts import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    chunk,
    exif,
    exif_segment,
    gif,
    jpeg,
    jpeg_with,
    png,
    png_with,
    profile,
    quarters,
    segment,
    shifted,
)
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.examine import examine
from talkwire.sanitation.headers import Header
from talkwire.sanitation.model import Limits, Reason, Rebuilt, Wish
from talkwire.sanitation.pixels import rebuild, rebuild_preview
from talkwire.sanitation.sniff import ImageType

Colour = tuple[int, ...]
UPRIGHT: list[Colour] = [RED, GREEN, BLUE, YELLOW]


def made_of(data: bytes, **wish: Any) -> Rebuilt:
    return rebuild(data, Wish(**wish), Limits())


def corners(data: bytes) -> list[Colour]:
    """The colour in the middle of each quarter, from the upper left."""
    decoded = pyvips.Image.new_from_buffer(data, "").colourspace("srgb").copy_memory()
    columns, rows = (
        (decoded.width // 4, decoded.width * 3 // 4),
        (decoded.height // 4, decoded.height * 3 // 4),
    )
    return [tuple(int(value) for value in decoded(x, y)) for y in rows for x in columns]


def are_alike(found: list[Colour], expected: list[Colour], tolerance: int) -> bool:
    pairs = [
        pair for one, other in zip(found, expected, strict=True) for pair in zip(one, other, strict=False)
    ]
    return all(abs(one - other) <= tolerance for one, other in pairs)


def stored(orientation: int) -> pyvips.Image:
    """As a camera stores it that was held so: what one sees upright, turned the other way."""
    upright = quarters()
    match orientation:
        case 2:
            return upright.fliphor()
        case 3:
            return upright.rot180()
        case 4:
            return upright.flipver()
        case 5:
            return upright.rot90().fliphor()
        case 6:
            return upright.rot270()
        case 7:
            return upright.rot270().fliphor()
        case 8:
            return upright.rot90()
    return upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("long_side", [0, 48])
def test_a_photo_comes_out_upright(orientation: int, order: str, long_side: int) -> None:
    encoded = stored(orientation).jpegsave_buffer(Q=95, keep="none")
    made = made_of(jpeg_with(exif_segment(exif(orientation, order=order)), base=encoded), long_side=long_side)
    assert (made.width, made.height) == ((48, 32) if long_side else (96, 64))
    for picture in (made.image, made.preview):
        assert are_alike(corners(picture), UPRIGHT, 14)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_png_comes_out_upright(orientation: int) -> None:
    encoded = stored(orientation).pngsave_buffer(keep="none")
    made = made_of(png_with(chunk(b"eXIf", exif(orientation)), base=encoded))
    assert corners(made.image) == UPRIGHT


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_is_none_turns_nothing(orientation: int) -> None:
    made = made_of(jpeg_with(exif_segment(exif(orientation))))
    assert are_alike(corners(made.image), UPRIGHT, 14)


PALE = quarters().linear(0.5, 64).cast("uchar").copy_memory()
"""Colours that every printing ink and every screen has."""


def _in_profile(name: str) -> pyvips.Image:
    """As programs convert: black stays black."""
    return PALE.icc_transform(name, input_profile="srgb", intent="relative", black_point_compensation=True)


COLOURS: dict[str, tuple[bytes, pyvips.Image, int]] = {
    "jpeg": (jpeg(), quarters(), 12),
    "progressive jpeg": (jpeg(progressive=True), quarters(), 12),
    "jpeg without subsampling": (quarters().jpegsave_buffer(Q=95, subsample_mode="off", keep="none"), quarters(), 6),
    "grey jpeg": (quarters().colourspace("b-w").jpegsave_buffer(Q=95, keep="none"), quarters().colourspace("b-w"), 6),
    "jpeg in Display P3": (_in_profile("p3").jpegsave_buffer(Q=97, profile="p3"), PALE, 8),
    "jpeg in inks with a profile": (_in_profile("cmyk").jpegsave_buffer(Q=97, profile="cmyk"), PALE, 22),
    "jpeg in inks without": (PALE.colourspace("cmyk").jpegsave_buffer(Q=97, keep="none"), PALE, 22),
    "png": (png(), quarters(), 0),
    "interlaced png": (png(interlaced=True), quarters(), 0),
    "png of 16 bits": (quarters().colourspace("rgb16").pngsave_buffer(keep="none"), quarters(), 1),
    "interlaced png of 16 bits": (
        quarters().colourspace("rgb16").pngsave_buffer(keep="none", interlace=True), quarters(), 1),
    "grey png of 16 bits": (
        quarters().colourspace("grey16").pngsave_buffer(keep="none"), quarters().colourspace("b-w"), 1),
    "png with a palette": (quarters().pngsave_buffer(keep="none", palette=True), quarters(), 4),
    "png with a palette of 2 bits": (quarters().pngsave_buffer(keep="none", palette=True, bitdepth=2), quarters(), 4),
    "png of 1 bit": (
        (quarters()[1] > 100).pngsave_buffer(keep="none", bitdepth=1), (quarters()[1] > 100).copy(interpretation="b-w"), 0),
    "png in Display P3": (
        png_with(chunk(b"iCCP", b"p3\0\0" + zlib.compress(profile("p3"))),
                 base=_in_profile("p3").pngsave_buffer(keep="none")), PALE, 4),
    "gif": (gif(), quarters(), 4),
    "interlaced gif": (quarters().gifsave_buffer(interlace=True, dither=0, keep="none"), quarters(), 4),
}  # fmt: skip


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("long_side", [0, 50])
def test_colours_are_what_they_were(name: str, long_side: int) -> None:
    data, expected, tolerance = COLOURS[name]
    made = made_of(data, long_side=long_side)
    assert complaints(made.image) == []
    wanted = corners(expected.colourspace("srgb").pngsave_buffer())
    assert are_alike(corners(made.image), wanted, tolerance + (4 if long_side else 0))
    assert are_alike(corners(made.preview), wanted, tolerance + 14)


@pytest.mark.parametrize("name", COLOURS)
def test_the_kind_stays_and_the_result_has_8_bits(name: str) -> None:
    data, _, _ = COLOURS[name]
    made = made_of(data)
    again = pyvips.Image.new_from_buffer(made.image, "")
    assert made.image_type is next(kind for kind in ImageType if kind.lower() in name)
    assert again.format == "uchar"
    assert again.interpretation in {"srgb", "b-w"}


def test_a_profile_that_is_none_is_left_out_of_account() -> None:
    made = made_of(jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\1" + b"no profile at all" * 20)))
    assert are_alike(corners(made.image), UPRIGHT, 12)


def test_an_inks_profile_on_a_picture_of_lights_is_left_out_of_account() -> None:
    inks = profile("cmyk")
    count = -(-len(inks) // 60_000)
    parts = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes([n + 1, count]) + inks[n * 60_000 : (n + 1) * 60_000])
        for n in range(count)
    ]
    assert are_alike(corners(made_of(jpeg_with(*parts)).image), UPRIGHT, 12)


def test_what_one_can_see_through_stays_so() -> None:
    see_through = quarters().bandjoin((quarters()[0] * 0 + 77).cast("uchar"))
    made = made_of(see_through.pngsave_buffer(), long_side=50)
    again = pyvips.Image.new_from_buffer(made.image, "")
    assert again.bands == 4
    assert abs(again(10, 10)[3] - 77) <= 1
    assert made.preview_type is ImageType.PNG
    assert pyvips.Image.new_from_buffer(made.preview, "").hasalpha()


def test_a_transparent_palette_and_a_transparent_gif_stay_transparent() -> None:
    hole = quarters().bandjoin((quarters()[2] > 100).cast("uchar"))
    for encoded in (hole.pngsave_buffer(palette=True), hole.gifsave_buffer()):
        made = made_of(encoded)
        again = pyvips.Image.new_from_buffer(made.image, "")
        assert again.hasalpha()
        assert again(5, 5)[3] == 0
        assert again(5, 60)[3] == 255


def test_of_an_animation_the_first_frame_is_left() -> None:
    other = quarters().invert()
    film = pyvips.Image.arrayjoin([quarters(), other, other], across=1).copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", 64)
    made = made_of(film.gifsave_buffer())
    assert complaints(made.image) == []
    assert are_alike(corners(made.image), UPRIGHT, 6)


@pytest.mark.parametrize(
    ("size", "long_side", "expected"),
    [
        ((200, 100), 0, (200, 100)),
        ((200, 100), 200, (200, 100)),
        ((200, 100), 800, (200, 100)),
        ((200, 100), 199, (199, 100)),
        ((200, 100), 20, (20, 10)),
        ((100, 200), 20, (10, 20)),
        ((2000, 2), 100, (100, 1)),
        ((4000, 3000), 800, (800, 600)),
        ((3000, 4000), 800, (600, 800)),
        ((4000, 3000), 333, (333, 250)),
        ((1602, 1200), 800, (800, 599)),
    ],
)
@pytest.mark.parametrize("make", [jpeg, png], ids=["jpeg", "png"])
def test_the_long_side_is_kept_to_and_nothing_is_enlarged(
    size: tuple[int, int], long_side: int, expected: tuple[int, int], make: Callable[[int, int], bytes]
) -> None:
    made = made_of(make(*size), long_side=long_side)
    assert made.width == expected[0] or made.height == expected[1]
    assert max(made.width, made.height) == max(expected)
    assert abs(made.width - expected[0]) <= 1
    assert abs(made.height - expected[1]) <= 1


def noise(width: int, height: int) -> pyvips.Image:
    bands = [pyvips.Image.gaussnoise(width, height, mean=128, sigma=60, seed=seed) for seed in range(3)]
    return pyvips.Image.bandjoin(bands[0], bands[1:]).cast("uchar").copy(interpretation="srgb").copy_memory()


@pytest.mark.parametrize("max_bytes", [30 * 1024, 5_000, 1_500])
def test_a_preview_is_smaller_than_its_limit_however_noisy(max_bytes: int) -> None:
    loud = noise(1000, 700)
    small = loud.crop(0, 0, 300, 200)
    for picture in (
        loud.jpegsave_buffer(),
        loud.bandjoin(100).pngsave_buffer(),
        small.gifsave_buffer(effort=1),
    ):
        made = made_of(picture, preview_bytes=max_bytes)
        assert 0 < len(made.preview) < max_bytes
        assert complaints(made.preview) == []


def test_a_picture_of_one_dot_has_a_preview_of_one_dot() -> None:
    for encoded in (pyvips.Image.black(1, 1).jpegsave_buffer(), pyvips.Image.black(1, 1).pngsave_buffer()):
        made = made_of(encoded)
        assert (made.width, made.height) == (1, 1)
        assert pyvips.Image.new_from_buffer(made.preview, "").width == 1


def test_no_preview_is_made_that_nobody_wants() -> None:
    assert rebuild(jpeg(), Wish(want_preview=False), Limits()).preview == b""


def test_a_large_picture_that_flows_through_is_the_same_and_has_a_preview() -> None:
    large = quarters(5200, 4400)  # more than is held at once
    for encoded in (large.jpegsave_buffer(), large.pngsave_buffer(compression=1)):
        made = made_of(encoded, png_compression=1)
        assert (made.width, made.height) == (5200, 4400)
        for picture in (made.image, made.preview):
            assert are_alike(corners(picture), UPRIGHT, 14)


def test_a_large_gif_has_the_colours_it_had_and_a_preview() -> None:
    across, down = pyvips.Image.xyz(2200, 1800)[0], pyvips.Image.xyz(2200, 1800)[1]
    slope = (across * 255 / 2200).bandjoin([down * 255 / 1800, (across + down) % 256]).cast("uchar")
    hole = slope.copy(interpretation="srgb").bandjoin((down > 900).ifthenelse(255, 0).cast("uchar"))
    for picture in (quarters(2200, 1800), slope.copy(interpretation="srgb"), hole):
        encoded = picture.gifsave_buffer(dither=0, keep="none")
        made = made_of(encoded)
        was, now = pyvips.Image.gifload_buffer(encoded), pyvips.Image.gifload_buffer(made.image)
        assert now.bands >= was.bands
        assert (now[: was.bands] - was).abs().max() <= 2
        assert complaints(made.image) == []
        assert 0 < len(made.preview) < Wish().preview_bytes


def test_a_gif_that_is_made_smaller_may_be_larger_than_one_that_is_kept() -> None:
    picture = gif(960, 640)
    needed = 14 * 960 * 640 + 10 * examine(picture, Limits()).coded_bytes
    assert rebuild(picture, Wish(), Limits(memory_bytes=needed)).width == 960
    scarce = Limits(memory_bytes=needed - 1)
    assert rebuild(picture, Wish(long_side=800), scarce).width == 800
    for long_side in (0, 960, 959):
        heard: list[Header] = []
        with pytest.raises(Rejected, match="too big") as rejected:
            rebuild(picture, Wish(long_side=long_side), scarce, heard.append)
        assert rejected.value.reason is Reason.TOO_BIG
        assert "too many pixels for a GIF" in rejected.value.detail
        assert heard == []  # nothing was decoded


def test_quality_and_compression_are_as_wished() -> None:
    loud = noise(200, 200)
    picture = loud.jpegsave_buffer(Q=95)
    assert len(made_of(picture, jpeg_quality=40).image) < len(made_of(picture, jpeg_quality=90).image)
    flat = png(400, 400)
    assert len(made_of(flat, png_compression=9).image) < len(made_of(flat, png_compression=0).image)


def test_a_preview_that_is_rebuilt_is_upright_and_small() -> None:
    encoded = stored(6).jpegsave_buffer(Q=95, keep="none")
    made = rebuild_preview(
        jpeg_with(exif_segment(exif(6)), base=encoded), Wish(preview_bytes=9_000), Limits()
    )
    assert are_alike(corners(made.preview), UPRIGHT, 14)


def test_a_picture_that_grows_beyond_what_it_may_is_refused() -> None:
    picture = shifted(12_000, 40)
    assert len(picture) < 50_000
    with pytest.raises(Rejected) as rejected:
        made_of(picture, image_bytes=500_000)
    assert rejected.value.reason is Reason.INFLATING
    assert len(made_of(picture, image_bytes=3_000_000).image) > 500_000


def test_of_what_was_refused_no_pixels_are_kept() -> None:
    def images() -> int:
        return sum(isinstance(one, pyvips.Image) for one in gc.get_objects())

    picture = shifted(12_000, 40)
    gc.collect()
    before = images()
    gc.disable()
    try:
        with contextlib.suppress(Rejected):
            made_of(picture, image_bytes=500_000)
        assert images() == before
    finally:
        gc.enable()


def test_a_picture_that_is_too_large_our_usual_way_is_encoded_another_way() -> None:
    row = random.Random(7).randbytes(3 * 100)
    rows = b"".join(row if y % 2 else bytes(300) for y in range(400))
    dithered = pyvips.Image.new_from_memory(rows, 100, 400, 3, "uchar").copy(interpretation="srgb")
    picture = dithered.pngsave_buffer(filter="none")
    usual = len(made_of(picture).image)
    made = made_of(picture, image_bytes=usual - 1, want_preview=False)
    assert len(made.image) < usual
    assert pyvips.Image.new_from_buffer(made.image, "").write_to_memory() == rows


def test_an_output_that_swells_is_refused() -> None:
    with pytest.raises(Rejected) as rejected:
        rebuild(noise(300, 300).pngsave_buffer(), Wish(), Limits(output_bytes=10_000))
    assert rejected.value.reason is Reason.INFLATING
