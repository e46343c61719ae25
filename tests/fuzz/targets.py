"""What is fuzzed: readers of bytes from outside, each with what must hold for any bytes whatever.

A target takes bytes, ends, and raises nothing; an AssertionError or a foreign exception is a finding.
Hypothesis drives them in `make test` for a moment, atheris (coverage-guided) in `make fuzz` for long.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from functools import cache

from talkwire.backends.filestore import tempurl
from talkwire.files.paths import build_path, parse_path
from talkwire.kernel.ids import AccountId
from talkwire.protocol import codec
from talkwire.protocol.catalog import REQUESTS
from talkwire.protocol.errors import BadFrame
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.examine import examine
from talkwire.sanitation.model import Limits
from talkwire.vault.errors import Tampered
from talkwire.vault.streaming import HEADER_BYTES, Opener, Sealer, open_whole, sealed_size

LIMITS = Limits()
KEY = bytes(range(32))
SALT, PREFIX = bytes(32), bytes(7)
BODIES = sorted(
    {row.body for row in REQUESTS if isinstance(row.body, type)}, key=lambda body: str(body.__name__)
)


def frame(data: bytes) -> None:
    """A frame is a request, or refused with BadFrame; whatever it became can be answered."""
    for read in (codec.decode_request, lambda data: codec.decode_requests(data, 10)):
        try:
            decoded = read(data)
        except BadFrame as error:
            codec.encode_response(str(error.request_id), 400, codec.ERROR_TYPE, {"details": str(error)})
            continue
        for request in decoded if isinstance(decoded, list) else [decoded]:
            assert codec.encode_response(str(request.id), 200, request.type)
            for body_type in BODIES:
                try:
                    codec.encode(codec.decode_body(request.body, body_type))
                except BadFrame:
                    continue


def temp_url(data: bytes) -> None:
    """Lines: path, method, expires, signature. Opens only if it is one of the right signatures."""
    text = data.decode("utf-8", "surrogateescape")
    path, method, expires, signature = (*text.split("\n", 3), "", "", "", "")[:4]
    named = parse_path(path)
    if named is not None:
        assert path.startswith(f"/v1/AUTH_async-images/{named.account_id}/")
        assert not set(path) & set("\\\0 %?#\n")
        assert "/../" not in path
        if named.participant_id and named.opened_at_ms > 0:
            uuid = path.rsplit("_uuid_", 1)[1][:36]
            again = build_path(
                AccountId(named.account_id), named.participant_id, uuid, named.opened_at_ms, named.file_type
            )
            assert again.lower() == path.lower()
            assert parse_path(again) is not None
    at = tempurl.read_expires(expires)
    if at is not None:
        opened = tempurl.is_signed(method, path, at, signature, [KEY])
        assert opened == (_digest_in(signature) in _right_digests(method, path, at))


def image(data: bytes) -> None:
    """A header is within the limits and stable, or the bytes are rejected."""
    try:
        header = examine(data, LIMITS)
    except Rejected:
        return
    assert 0 < header.width * header.height <= LIMITS.pixels
    assert max(header.width, header.height) <= LIMITS.side
    assert 1 <= header.orientation <= 8
    assert header.frames >= 1
    assert header.held_bytes <= LIMITS.memory_bytes
    assert len(header.picture) <= len(data) + 64
    again = examine(header.picture, LIMITS)
    assert (again.image_type, again.width, again.height) == (header.image_type, header.width, header.height)
    assert again.picture == header.picture


def sealed(data: bytes) -> None:
    """Bytes: which file, a range, then the sealed file itself, as a thief of the disk left it.

    What opens is what was sealed, byte by byte; everything else is Tampered.
    """
    which, start, length = data[:1], int.from_bytes(data[1:4], "big"), int.from_bytes(data[4:7], "big")
    body = data[7:]
    plain = PLAINS[which[0] % len(PLAINS)] if which else b""
    aad = f"file {which.hex()}".encode()
    genuine = seal(plain, aad)
    try:
        assert open_whole(KEY, aad, body) == plain
        assert body == genuine
    except Tampered:
        assert body != genuine
    try:
        opener = Opener(KEY, aad, body[:HEADER_BYTES], len(body))
        reading = opener.range(start, length)
        parts = reading.push(body[reading.span.sealed_start : reading.span.sealed_end])
        reading.finish()
    except Tampered:
        assert body != genuine
        return
    assert b"".join(parts) == plain[start : start + length]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frame": frame, "temp_url": temp_url, "image": image, "sealed": sealed
}  # fmt: skip

PLAINS = (b"", b"a picture", bytes(65_536 - 56), bytes(range(256)) * 300)


@cache
def seal(plain: bytes, aad: bytes) -> bytes:
    """As the vault does, with salt and prefix that stay the same."""
    sealer = Sealer(KEY, aad, salt=SALT, prefix=PREFIX)
    whole = b"".join([*sealer.push(plain), *sealer.finish()])
    assert len(whole) == sealed_size(len(plain))
    return whole


def _right_digests(method: str, path: str, expires: int) -> set[bytes]:
    """Swift's rule, said once more: a HEAD is opened by what opens a GET or a PUT."""
    signers = {"GET": ["GET"], "PUT": ["PUT"], "HEAD": ["HEAD", "GET", "PUT"]}.get(method, [])
    texts = [f"{signer}\n{expires}\n{path}".encode("utf-8", "surrogateescape") for signer in signers]
    return {
        hmac.new(KEY, text, algorithm).digest()
        for text in texts
        for algorithm in (hashlib.sha1, hashlib.sha256, hashlib.sha512)
    }


def _digest_in(signature: str) -> bytes:
    """The digest that a signature carries, in any of the forms that are taken."""
    try:
        algorithm, colon, encoded = signature.partition(":")
        if not colon:
            is_hex = set(signature) <= set("0123456789abcdef") and len(signature) in {40, 64, 128}
            return bytes.fromhex(signature) if is_hex else b""
        plain = encoded.replace("-", "+").replace("_", "/").rstrip("=")
        digest = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return b""
    sizes = {"sha1": 20, "sha256": 32, "sha512": 64}
    return digest if sizes.get(algorithm) == len(digest) else b""
