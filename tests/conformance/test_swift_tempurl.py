"""Our signatures against OpenStack Swift's own middleware: each accepts exactly what the other accepts.

Source: docs/protocol.md 9.4, Appendix B14. Needs the package `swift` (requirements/dev.in).
"""

import base64
import hmac
import itertools
import time
import warnings
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tempurl = pytest.importorskip(
        "swift.common.middleware.tempurl", reason="package swift is not installed: pip install swift"
    )
    from swift.common.swob import Request  # type: ignore[import-untyped]

from talkwire.backends.filestore.tempurl import is_signed, read_expires, sign

KEYS = ("first-key", "second-key")
PATH = "/v1/AUTH_async-images/12345678/0c1d2e3f_uuid_1_02-01-2024_03-04-05-678.PNG"
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")
LATER = int(time.time()) + 3600


class Backend:
    """What stands behind the middleware: answers 200, and knows the account's two keys."""

    def __call__(self, env: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "image/png")])
        return [b"bytes"]


def swift_answer(method: str, path: str, query: dict[str, str], keys: tuple[str, ...] = KEYS) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        middleware = tempurl.filter_factory({})(Backend())
        request = Request.blank(f"{path}?{urlencode(query)}", environ={"REQUEST_METHOD": method})
        metadata = {"temp-url-key": keys[0], "temp-url-key-2": keys[1]}
        account, container = path.split("/")[2:4]
        request.environ["swift.infocache"] = {
            f"account/{account}": {"status": 204, "meta": metadata},
            f"container/{account}/{container}": {"status": 204, "meta": {}},
        }
        return request.get_response(middleware)


def ours(method: str, path: str, query: dict[str, str], keys: tuple[str, ...] = KEYS) -> bool:
    expires = read_expires(query.get("temp_url_expires", ""))
    if not expires or expires < time.time():
        return False
    encoded = [key.encode() for key in keys]
    return is_signed(method, path, expires, query.get("temp_url_sig", ""), encoded)


@pytest.mark.parametrize(("signed_for", "asked"), list(itertools.product(("GET", "PUT", "HEAD"), METHODS)))
@pytest.mark.parametrize("key", KEYS)
def test_swift_opens_what_we_sign_and_nothing_else(signed_for: str, asked: str, key: str) -> None:
    query = {
        "temp_url_sig": sign(signed_for, PATH, LATER, key.encode()),
        "temp_url_expires": str(LATER),
    }
    accepted = swift_answer(asked, PATH, query).status_int == 200
    assert accepted == ours(asked, PATH, query)
    assert accepted == (asked == signed_for or (asked == "HEAD" and signed_for in {"GET", "PUT"}))


def signature(algorithm: str, form: str, method: str = "GET") -> str:
    digest = hmac.digest(KEYS[0].encode(), f"{method}\n{LATER}\n{PATH}".encode(), algorithm)
    if form == "hex":
        return digest.hex()
    encode = base64.urlsafe_b64encode if form == "urlsafe" else base64.b64encode
    text = f"{algorithm}:{encode(digest).decode()}"
    return text.rstrip("=") if form == "bare" else text


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("form", ["hex", "base64", "urlsafe", "bare"])
def test_both_read_the_same_forms_of_a_signature(algorithm: str, form: str) -> None:
    query = {"temp_url_sig": signature(algorithm, form), "temp_url_expires": str(LATER)}
    assert swift_answer("GET", PATH, query).status_int == 200
    assert ours("GET", PATH, query)
    assert not ours("PUT", PATH, query)


GOOD = signature("sha1", "hex")


@pytest.mark.parametrize(
    "text",
    [
        GOOD.upper(),
        GOOD[:-1],
        GOOD + "00",
        "md5:" + GOOD,
        "sha1:",
        "sha256:" + base64.b64encode(bytes.fromhex(GOOD)).decode(),
        "SHA1:" + base64.b64encode(bytes.fromhex(GOOD)).decode(),
        "zz" * 20,
        "sha1:!!!!",
    ],
)
def test_both_refuse_the_same_nonsense(text: str) -> None:
    query = {"temp_url_sig": text, "temp_url_expires": str(LATER)}
    assert swift_answer("GET", PATH, query).status_int == 401
    assert not ours("GET", PATH, query)


@pytest.mark.parametrize("offset", [-1, -3600])
def test_both_refuse_the_expired(offset: int) -> None:
    expires = int(time.time()) + offset
    query = {
        "temp_url_sig": sign("GET", PATH, expires, KEYS[0].encode()),
        "temp_url_expires": str(expires),
    }
    assert swift_answer("GET", PATH, query).status_int == 401
    assert not ours("GET", PATH, query)


def test_both_read_an_expiry_written_as_a_date() -> None:
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(LATER))
    query = {"temp_url_sig": GOOD, "temp_url_expires": date}
    assert swift_answer("GET", PATH, query).status_int == 200
    assert ours("GET", PATH, query)


def test_the_refusal_reads_as_swifts() -> None:
    refusal = swift_answer("GET", PATH, dict(parse_qsl("temp_url_sig=0&temp_url_expires=1")))
    assert refusal.body == b"401 Unauthorized: Temp URL invalid\n"
    assert swift_answer("HEAD", PATH, {"temp_url_sig": "0", "temp_url_expires": "1"}).body == b""


def test_the_file_name_is_offered_as_swift_offers_it() -> None:
    query = {"temp_url_sig": GOOD, "temp_url_expires": str(LATER)}
    offered = swift_answer("GET", PATH, query).headers["Content-Disposition"]
    name = PATH.rpartition("/")[2]
    assert offered == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
