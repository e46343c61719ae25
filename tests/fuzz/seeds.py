"""Real samples, from which the fuzzers start."""

import base64
import json
from functools import cache

from corpus import parts
from fuzz import targets
from talkwire.backends.filestore import tempurl
from talkwire.files.paths import build_path
from talkwire.kernel.ids import AccountId, ParticipantId
from talkwire.protocol.catalog import REQUESTS

PATH = build_path(
    AccountId("12345678"),
    ParticipantId("0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5"),
    "11111111-2222-3333-4444-555555555555",
    1_704_164_645_678,
    "PNG",
)
EXPIRES = 1_704_164_705


@cache
def seeds_of(target: str) -> tuple[bytes, ...]:
    return tuple({"frame": _frames, "temp_url": _temp_urls, "image": _images, "sealed": _sealed}[target]())


def _frames() -> list[bytes]:
    bodies = [
        {},
        {"fileSize": "1000", "fileType": "PNG"},
        {"relativePath": PATH},
        {"conversationId": "c", "dialogId": "c", "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "hi"}},
        {"conversationField": [{"field": "DialogChange", "type": "UPDATE", "dialog": {"dialogState": "CLOSE"}}]},
        {"maxETTR": 1, "convState": ["OPEN"], "agentIds": [""], "brandId": "12345678"},
        {"nested": [[[[{}]]]], "big": 10**30, "float": 1e308, "text": "\u2028\ud83d\ude00 \\u0000"},
    ]  # fmt: skip
    requests = [
        {"kind": "req", "id": str(number), "type": row.name, "body": bodies[number % len(bodies)]}
        for number, row in enumerate(REQUESTS)
    ]
    return [json.dumps(one).encode() for one in [*requests, requests[:3], {"kind": "req"}, []]]


def _temp_urls() -> list[bytes]:
    sha1 = tempurl.sign("PUT", PATH, EXPIRES, targets.KEY)
    older = "/v1/AUTH_async-images/12345678/11111111-2222-3333-4444-555555555555.JPG"
    encoded = base64.b64encode(bytes(32)).decode()
    lines = [
        (PATH, "PUT", str(EXPIRES), sha1),
        (PATH, "HEAD", str(EXPIRES), sha1),
        (PATH, "GET", "2024-01-02T03:05:05Z", tempurl.sign("GET", PATH, EXPIRES, targets.KEY)),
        (older, "GET", "2024-01-02", f"sha256:{encoded}"),
        (older, "POST", "x", "0" * 128),
    ]
    return ["\n".join(line).encode() for line in lines]


def _images() -> list[bytes]:
    tiff = parts.exif()
    return [
        parts.jpeg(24, 16),
        parts.jpeg(24, 16, progressive=True),
        parts.jpeg_with(parts.exif_segment(tiff)),
        parts.png(24, 16),
        parts.png(24, 16, interlaced=True),
        parts.png_with(parts.chunk(b"eXIf", tiff), parts.chunk(b"tEXt", b"Comment\0hello")),
        parts.gif(24, 16),
        parts.gif_with(parts.gif_extension(0xFE, b"hello")),
    ]


def _sealed() -> list[bytes]:
    return [
        bytes([number])
        + (3).to_bytes(3, "big")
        + (60_000).to_bytes(3, "big")
        + targets.seal(plain, f"file {number:02x}".encode())
        for number, plain in enumerate(targets.PLAINS)
    ]
