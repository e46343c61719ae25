"""Real pictures for tests, made on the spot, and a look at the size of one that came back."""

import hashlib
import random
import struct
import zlib
from pathlib import Path

import pyvips

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"


def png(width: int, height: int, *, seed: int = 0) -> bytes:
    """A noisy PNG in true colour: each seed another picture, about three bytes a pixel."""
    noise = random.Random(seed)
    rows = b"".join(b"\x00" + noise.randbytes(3 * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return PNG + b"".join(map(_chunk, *zip(*chunks, strict=True)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(folder: Path, width: int = 64, height: int = 48, *, seed: int = 0) -> Path:
    path = folder / f"picture-{seed}.png"
    path.write_bytes(png(width, height, seed=seed))
    return path


def pixels_of(data: bytes) -> str:
    """What one sees of a picture, as a hash: rebuilding a PNG keeps it, and changes every byte."""
    picture = pyvips.Image.new_from_buffer(data, "")
    seen = bytes(picture.colourspace("srgb").write_to_memory())
    return hashlib.sha256(b"%d x %d " % (picture.width, picture.height) + seen).hexdigest()


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG or JPEG; it may have been rebuilt on its way. Raises ValueError."""
    if data.startswith(PNG):
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if not data.startswith(JPEG):
        raise ValueError(f"neither PNG nor JPEG: {data[:16]!r}")
    at = 2
    while True:
        marker, length = struct.unpack(">HH", data[at : at + 4])
        if 0xFFC0 <= marker <= 0xFFCF and marker not in {0xFFC4, 0xFFC8, 0xFFCC}:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
