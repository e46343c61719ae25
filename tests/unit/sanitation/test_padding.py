"""Bytes that make no pixel buy no time, wherever they stand."""

import random

import pytest
import pyvips

from corpus.parts import gif, padded_gif, padded_png, png
from talkwire.sanitation.examine import examine
from talkwire.sanitation.headers import Header
from talkwire.sanitation.model import Limits, Wish
from talkwire.sanitation.padding import without_padding
from talkwire.sanitation.pixels import rebuild, rebuild_preview

LIMITS = Limits()


def noise(width: int, height: int) -> pyvips.Image:
    data = random.Random(9).randbytes(width * height)
    return pyvips.Image.new_from_memory(data, width, height, 1, "uchar").copy(interpretation="b-w")


def gif_of_noise(height: int = 640, *, interlace: bool = False) -> bytes:
    encoded: bytes = noise(640, height).gifsave_buffer(keep="none", dither=0, interlace=interlace)
    return encoded


HONEST = {
    "gif": gif_of_noise(),
    "interlaced gif": gif_of_noise(interlace=True),
    "interlaced gif with an odd number of lines": gif_of_noise(641, interlace=True),
    "png": noise(640, 640).pngsave_buffer(keep="none"),
    "interlaced png": noise(641, 637).pngsave_buffer(keep="none", interlace=True),
}


def padded(name: str, junk: bytes) -> bytes:
    return (padded_gif if "gif" in name else padded_png)(HONEST[name], junk)


@pytest.mark.parametrize("name", HONEST)
def test_what_codes_pixels_counts_whole(name: str) -> None:
    header = examine(HONEST[name], LIMITS)
    assert header.coded_bytes > 0.9 * len(HONEST[name])
    assert without_padding(header) == header


@pytest.mark.parametrize("name", HONEST)
def test_a_picture_with_an_eighth_of_junk_behind_its_pixels_has_no_time_but_the_first_second(
    name: str,
) -> None:
    junk = random.Random(3).randbytes(len(HONEST[name]) // 6)
    header = examine(padded(name, junk), LIMITS)
    assert without_padding(header) == header._replace(coded_bytes=0)
    heard: list[Header] = []
    rebuild(padded(name, junk), Wish(), LIMITS, heard.append)
    rebuild_preview(padded(name, junk), Wish(), LIMITS, heard.append)
    assert [one.coded_bytes for one in heard] == [0, 0]


@pytest.mark.parametrize("junk_bytes", [100_000, 2_000_000])
def test_no_picture_counts_more_than_its_pixels_can_need(junk_bytes: int) -> None:
    junk = bytes(junk_bytes)
    assert examine(padded_gif(gif(), junk), LIMITS).coded_bytes <= 96 * 64 * 1.5 + 4096
    assert examine(padded_png(png(), junk), LIMITS).coded_bytes <= (96 * 3 + 1) * 64 * 1.001 + 4096
