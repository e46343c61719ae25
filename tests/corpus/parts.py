"""Pictures in known colours, and the pieces that files are made of."""

import random
import struct
import zlib
from functools import cache

import pyvips

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 40), (30, 40, 220), (230, 220, 40)
WIDTH, HEIGHT = 96, 64

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@cache
def quarters(width: int = WIDTH, height: int = HEIGHT) -> pyvips.Image:
    """Red, green over blue, yellow: tells colours, and which side is up."""
    cells = [
        (pyvips.Image.black(width // 2, height // 2, bands=3) + list(colour)).cast("uchar")
        for colour in (RED, GREEN, BLUE, YELLOW)
    ]
    return pyvips.Image.arrayjoin(cells, across=2).copy(interpretation="srgb").copy_memory()


@cache
def jpeg(width: int = WIDTH, height: int = HEIGHT, *, progressive: bool = False) -> bytes:
    encoded: bytes = quarters(width, height).jpegsave_buffer(Q=92, keep="none", interlace=progressive)
    return encoded


@cache
def png(width: int = WIDTH, height: int = HEIGHT, *, interlaced: bool = False) -> bytes:
    encoded: bytes = quarters(width, height).pngsave_buffer(keep="none", interlace=interlaced)
    return encoded


@cache
def gif(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    encoded: bytes = quarters(width, height).gifsave_buffer(keep="none", dither=0)
    return encoded


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_with(*segments: bytes, base: bytes = b"", trailer: bytes = b"") -> bytes:
    """A JPEG with these segments right behind its start."""
    base = base or jpeg()
    return base[:2] + b"".join(segments) + base[2:] + trailer


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes, base: bytes = b"", trailer: bytes = b"") -> bytes:
    """A PNG with these chunks right behind its header."""
    base = base or png()
    return base[:33] + b"".join(chunks) + base[33:] + trailer


def png_header(width: int, height: int, depth: int = 8, colours: int = 2, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlace)
    return PNG_SIGNATURE + chunk(b"IHDR", header)


def shifted(width: int, rows: int, *chunks: bytes) -> bytes:
    """A few KB of which many MB become: a palette's random row, each next one shifted by a pixel."""
    row, packing = random.Random(5).randbytes(width), zlib.compressobj(9)
    lines = (b"\0" + row[y % width :] + row[: y % width] for y in range(rows))
    coded = b"".join(packing.compress(line) for line in lines) + packing.flush()
    palette = chunk(b"PLTE", random.Random(6).randbytes(768))
    parts = png_header(width, rows, colours=3), palette, *chunks, chunk(b"IDAT", coded), chunk(b"IEND", b"")
    return b"".join(parts)


def gif_blocks(data: bytes) -> bytes:
    pieces = (data[start : start + 255] for start in range(0, len(data), 255))
    return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"


@cache
def repeating_gif(side: int, period: int) -> bytes:
    """Few bytes that take long to encode again: the same indices again and again, in a table that is never reset."""
    pattern = random.Random(period).randbytes(period)
    indices = (pattern * (side * side // period + 1))[: side * side]
    palette = random.Random(3).randbytes(768)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x08" + gif_blocks(_packed(indices))
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0xF7, 0, 0) + palette + frame + b";"


def _packed(indices: bytes) -> bytes:
    """LZW, of 8 bits. Source: GIF89a specification, appendix F."""
    table = {bytes([index]): index for index in range(256)}
    packed, kept, kept_bits, code_bits, known = bytearray(), 256, 9, 9, b""
    count = 258
    for start in range(len(indices) + 1):
        index = indices[start : start + 1]
        if index and known + index in table:
            known += index
            continue
        kept |= table[known] << kept_bits if known else 0
        kept_bits += code_bits if known else 0
        if known and count < 4096:
            table[known + index] = count
            code_bits += count == 1 << code_bits and code_bits < 12
            count += 1
        known = index
        whole = kept_bits // 8
        packed += (kept & (1 << 8 * whole) - 1).to_bytes(whole, "little")
        kept, kept_bits = kept >> 8 * whole, kept_bits % 8
    return bytes(packed) + (kept | 257 << kept_bits).to_bytes(4, "little").rstrip(b"\0")


def padded_gif(base: bytes, junk: bytes) -> bytes:
    """A GIF of one frame with junk behind its codes, in the same chain of blocks."""
    assert base.endswith(b"\0;")
    return base[:-2] + gif_blocks(junk) + b";"


def padded_png(base: bytes, junk: bytes) -> bytes:
    """A PNG with junk behind its packed pixels, in a chunk of the same kind."""
    return base[:-12] + chunk(b"IDAT", junk) + base[-12:]


def gif_extension(label: int, data: bytes) -> bytes:
    return bytes([0x21, label]) + gif_blocks(data)


def gif_with(*extensions: bytes, trailer: bytes = b"") -> bytes:
    """A GIF with these extensions before its first frame."""
    base = gif()
    at = 13 + (3 << ((base[10] & 7) + 1) if base[10] & 0x80 else 0)
    return base[:at] + b"".join(extensions) + base[at:] + trailer


def exif(
    orientation: int = 1, *, order: str = "<", secret: bytes = b"", thumbnail: bytes = b"", depth: int = 0
) -> bytes:
    """A TIFF structure: camera, GPS, maker's note, comment; a thumbnail; directories that point on."""
    text = secret + b"\0"
    entries = [
        (0x010F, 2, text), (0x0110, 2, text), (0x0112, 3, struct.pack(f"{order}HH", orientation, 0)),
        (0x013B, 2, text), (0x8298, 2, text), (0x9286, 7, b"ASCII\0\0\0" + text), (0x927C, 7, text * 20),
        (0x8825, 4, struct.pack(f"{order}I", 8)), (0x8769, 4, struct.pack(f"{order}I", 8)),
        (0x0002, 5, struct.pack(f"{order}6I", 52, 1, 31, 1, 12, 1)), (0x0201, 7, thumbnail or b"\0"),
    ]  # fmt: skip
    start = 8 + 2 + 12 * len(entries) + 4
    directory, values = struct.pack(f"{order}H", len(entries)), b""
    for tag, kind, value in entries:
        size = {2: 1, 7: 1, 3: 2, 4: 4, 5: 8}[kind]
        count = 1 if tag == 0x0112 else len(value) // size
        if len(value) <= 4:
            place = value.ljust(4, b"\0")
        else:
            place, values = struct.pack(f"{order}I", start + len(values)), values + value
        directory += struct.pack(f"{order}HHI", tag, kind, count) + place
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + directory + struct.pack(f"{order}I", 8 if depth else 0) + values


def exif_segment(tiff: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + tiff)


def xmp(secret: bytes) -> bytes:
    return (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>'
        + secret + b"</dc:creator></x:xmpmeta><?xpacket end='w'?>"
    )  # fmt: skip


def iptc(secret: bytes) -> bytes:
    record = b"\x1c\x02\x50" + struct.pack(">H", len(secret)) + secret
    return b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record


def profile(name: str = "srgb") -> bytes:
    """An ICC profile that libvips carries: srgb, p3 or cmyk."""
    saved = quarters().jpegsave_buffer(profile=name)
    found: bytes = pyvips.Image.jpegload_buffer(saved).get("icc-profile-data")
    return found
