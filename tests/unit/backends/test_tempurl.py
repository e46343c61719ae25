"""Signatures of temporary URLs. Source: docs/protocol.md 9.4, Appendix D."""

import base64
import hmac

import pytest

from talkwire.backends.filestore.tempurl import is_signed, read_expires, sign

KEY = b"k3y-for-docs"
OTHER = b"0ther"
EXPIRES = 1_704_164_705
PATH = (
    "/v1/AUTH_async-images/12345678/0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5"
    "_uuid_11111111-2222-3333-4444-555555555555_02-01-2024_03-04-05-678.PNG"
)
PUT = "de419354799c4998a521be28e99885fb1bd9d4f2"
GET = "9745424fba824c1e42e652a96168b64e5e4f0b94"


def digest(method: str, algorithm: str, key: bytes = KEY) -> bytes:
    return hmac.digest(key, f"{method}\n{EXPIRES}\n{PATH}".encode(), algorithm)


def test_the_published_vectors_hold() -> None:
    assert sign("PUT", PATH, EXPIRES, KEY) == PUT
    assert sign("GET", PATH, EXPIRES, KEY) == GET


def test_a_signature_opens_its_own_method_path_and_moment_only() -> None:
    assert is_signed("PUT", PATH, EXPIRES, PUT, [KEY])
    assert not is_signed("GET", PATH, EXPIRES, PUT, [KEY])
    assert not is_signed("PUT", PATH, EXPIRES, GET, [KEY])
    assert not is_signed("PUT", PATH + "x", EXPIRES, PUT, [KEY])
    assert not is_signed("PUT", PATH, EXPIRES + 1, PUT, [KEY])
    assert not is_signed("PUT", PATH, EXPIRES, PUT, [OTHER])
    assert not is_signed("PUT", PATH, EXPIRES, PUT, [])


def test_either_of_two_keys_opens() -> None:
    assert is_signed("PUT", PATH, EXPIRES, PUT, [OTHER, KEY])
    assert is_signed("PUT", PATH, EXPIRES, PUT, [KEY, OTHER])


def test_a_look_at_the_headers_takes_the_signature_of_a_read_or_a_write() -> None:
    assert is_signed("HEAD", PATH, EXPIRES, GET, [KEY])
    assert is_signed("HEAD", PATH, EXPIRES, PUT, [KEY])
    assert is_signed("HEAD", PATH, EXPIRES, sign("HEAD", PATH, EXPIRES, KEY), [KEY])


@pytest.mark.parametrize("method", ["DELETE", "POST", "PATCH", "OPTIONS", "get", ""])
def test_no_other_method_is_ever_signed(method: str) -> None:
    assert not is_signed(method, PATH, EXPIRES, sign(method, PATH, EXPIRES, KEY), [KEY])


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_longer_digests_are_accepted_as_hex_and_as_base64(algorithm: str) -> None:
    value = digest("PUT", algorithm)
    for encoded in (base64.b64encode(value), base64.urlsafe_b64encode(value)):
        assert is_signed("PUT", PATH, EXPIRES, f"{algorithm}:{encoded.decode()}", [KEY])
        assert is_signed("PUT", PATH, EXPIRES, f"{algorithm}:{encoded.decode().rstrip('=')}", [KEY])
    assert is_signed("PUT", PATH, EXPIRES, value.hex(), [KEY])
    assert not is_signed("GET", PATH, EXPIRES, value.hex(), [KEY])


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "0",
        PUT[:-1],
        PUT + "0",
        PUT.upper(),
        PUT[:-1] + "g",
        " " + PUT[1:],
        "é" * 40,
        "\ud800" * 40,
        "md5:" + base64.b64encode(bytes(16)).decode(),
        "sha1:" + PUT,
        "sha256:" + base64.b64encode(digest("PUT", "sha1")).decode(),
        "sha1:*",
        "sha1:a",
        ":",
        "sha512:",
    ],
)
def test_anything_else_is_no_signature(signature: str) -> None:
    assert not is_signed("PUT", PATH, EXPIRES, signature, [KEY])


def test_a_path_that_no_text_can_hold_is_simply_not_signed() -> None:
    assert not is_signed("PUT", "/v1/\udcff", EXPIRES, PUT, [KEY])


def test_an_expiry_is_a_number_or_an_iso_date() -> None:
    assert read_expires("1704164705") == EXPIRES
    assert read_expires("2024-01-02T03:05:05Z") == EXPIRES
    assert read_expires("2024-01-02T03:05:05") == EXPIRES
    assert read_expires("2024-01-02") == 1_704_153_600


@pytest.mark.parametrize("value", ["", "x", "-1", "1e9", "1704164705.5", "١٧٠٤", "9" * 13, "2024-13-01"])
def test_anything_else_never_expires_into_being_valid(value: str) -> None:
    assert read_expires(value) is None
