"""Pictures whose pixels are computed backwards, so that our own encoder writes a payload out byte for byte."""

import io
import random
import zipfile
from collections.abc import Callable, Mapping

import pyvips

WIDTH = 400
_LINE = 3 * WIDTH
_LINES = 2
"""For each filter: few, since a short block of compressed data is stored as it is for less."""

Predict = Callable[[int, int, int], int]


def archive() -> bytes:
    """A ZIP that holds a page and a program."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("a.htm", "<script>alert(1)</script><?php eval($_GET[0]);?>")
    return packed.getvalue()


def _paeth(left: int, above: int, corner: int) -> int:
    """Source: PNG specification, 9.4."""
    estimate = left + above - corner
    return min((left, above, corner), key=lambda near: abs(estimate - near))


FILTERS: Mapping[str, Predict] = {
    "up": lambda _, above, __: above,
    "none": lambda _, __, ___: 0,
    "paeth": _paeth,
}


def painted(payload: bytes, *filters: str, seed: int = 0) -> bytes:
    """A PNG of noise. Some of its lines are the payload once they went through a filter, for each of these."""
    lines = [bytes(_LINE)]
    for number, name in enumerate(filters):
        coded = _noisy(payload, random.Random(f"{seed} {number}"))
        for at in range(0, len(coded), _LINE):
            lines.append(_unfiltered(coded[at : at + _LINE], lines[-1], FILTERS[name]))
    pixels = pyvips.Image.new_from_memory(b"".join(lines[1:]), WIDTH, len(lines) - 1, 3, "uchar")
    encoded: bytes = pixels.copy(interpretation="srgb").pngsave_buffer(filter="sub")
    return encoded


def _noisy(payload: bytes, chance: random.Random) -> bytes:
    """In noise, which no compressor makes smaller: it stores it as it is, and the payload with it."""
    noise, at = chance.randbytes(_LINE * _LINES), chance.randrange(1000)
    return noise[:at] + payload + noise[at + len(payload) :]


def _unfiltered(coded: bytes, above: bytes, predict: Predict) -> bytes:
    line = bytearray()
    for at, byte in enumerate(coded):
        left, corner = (line[at - 3], above[at - 3]) if at >= 3 else (0, 0)
        line.append((byte + predict(left, above[at], corner)) & 255)
    return bytes(line)


def carrying(payload: bytes, *filters: str) -> bytes:
    """One that does with all of them: a block may end in the middle of the payload, then other noise is taken."""
    for seed in range(100):
        picture = painted(payload, *filters, seed=seed)
        pixels = pyvips.Image.new_from_buffer(picture, "")
        if all(payload in pixels.pngsave_buffer(compression=6, filter=name, keep="none") for name in filters):
            assert payload not in picture
            return picture
    raise AssertionError("no noise carries it")
