"""Ways to hide bytes in other bytes: what a scanner must look through."""

import base64
import gzip
import io
import tarfile
import zipfile
import zlib

import pyvips

from pictures import png

PNG = png(8, 8)
JPEG = bytes(
    pyvips.Image.black(8, 8, bands=3).linear(1, [200, 100, 50]).cast("uchar").write_to_buffer(".jpg")
)
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==")


def wrappings(payload: bytes) -> dict[str, bytes]:
    """The payload, wrapped in each way, by the way's name."""
    return {
        "plain": payload,
        "a JPEG's comment": JPEG[:2]
        + b"\xff\xfe"
        + (len(payload) + 2).to_bytes(2, "big")
        + payload
        + JPEG[2:],
        "a PNG's text": _png_with_text(payload),
        "a GIF's comment": _gif_with_comment(payload),
        "behind a JPEG's end": JPEG + payload,
        "behind a PNG's end": PNG + payload,
        "a zip": _zipped("eicar.com", payload),
        "a zip in a zip": _zipped("inner.zip", _zipped("eicar.com", payload)),
        "gzip": gzip.compress(payload),
        "a tar": _tarred("eicar.com", payload),
        "a zip behind a JPEG's end": JPEG + _zipped("eicar.com", payload),
        "a mail's attachment": _mailed(payload),
    }


def _png_with_text(payload: bytes) -> bytes:
    body = b"tEXt" + b"Comment\0" + payload
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    after_header = 8 + 25  # the signature and IHDR
    return PNG[:after_header] + chunk + PNG[after_header:]


def _gif_with_comment(payload: bytes) -> bytes:
    return GIF[:-1] + b"\x21\xfe" + bytes([len(payload)]) + payload + b"\0" + GIF[-1:]


def _zipped(name: str, payload: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, payload)
    return out.getvalue()


def _tarred(name: str, payload: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(payload)
        archive.addfile(member, io.BytesIO(payload))
    return out.getvalue()


def _mailed(payload: bytes) -> bytes:
    return (
        b"From: a@example.com\r\nTo: b@example.com\r\nSubject: look\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="part"\r\n\r\n--part\r\n'
        b'Content-Type: application/octet-stream; name="eicar.com"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(payload) + b"\r\n--part--\r\n"
    )
