import io
import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage

from talkwire.ops.logs import configure_logs, new_incident_id, redact, redact_text

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJl-Zm9y"
BEARER = "4f5b" * 16

SECRETS = [
    (f"GET /ws_api/account/1/messaging/consumer/{JWT}?v=2", JWT),
    (f"GET /ws_api/account/1/messaging/brand/{BEARER}?v=2.1", BEARER),
    ("wss://h/ws_api/account/1/messaging/brand/short-bearer?v=2.1&integrationVersion=1", "short-bearer"),
    (f"Authorization: jwt {JWT}", JWT),
    (f"Authorization:jwt {JWT}", JWT),
    ("Authorization: Bearer not.a.jwt-at_all", "not.a.jwt-at_all"),
    ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("{'Authorization': 'Bearer abc123abc123'}", "abc123abc123"),
    ("Cookie: session=abcdef; theme=dark", "abcdef"),
    ("Set-Cookie: session=abcdef; Path=/", "abcdef"),
    ("PUT /v1/AUTH_1/c/o?temp_url_sig=da39a3ee5e6b&temp_url_expires=1704164705", "da39a3ee5e6b"),
    ('{"temp_url_sig":"da39a3ee5e6b","temp_url_expires":"1"}', "da39a3ee5e6b"),
    ('{"username":"admin","password":"hunter22"}', "hunter22"),
    ("username=admin&password=hunter22", "hunter22"),
    ("client_id=7&client_secret=s3cr3t&grant_type=client_credentials", "s3cr3t"),
    ('{"csrf":"0123abcd"}', "0123abcd"),
    ('{"authCode":"one-time-code"}', "one-time-code"),
    ('OAuth oauth_consumer_key="k", oauth_token="t0ken", oauth_signature="s1gn"', "s1gn"),
    ('OAuth oauth_consumer_key="k", oauth_token="t0ken", oauth_signature="s1gn"', "t0ken"),
    ("postgresql://talkwire:pa55@db.example/talkwire", "pa55"),
    (f"InitConnection {{'jwt': '{JWT}'}}", JWT),
    (f"stored digest of {BEARER}", BEARER),
]


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("info", "json", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_text_loses_its_secret(text: str, secret: str) -> None:
    assert secret not in redact_text(text)


def test_bytes_that_are_no_http_leave_no_trace_but_bugs_do(said: io.StringIO) -> None:
    for error in (BadHttpMessage("noise"), ValueError("bug")):
        try:
            raise error
        except Exception:
            logging.getLogger("aiohttp.server").exception("Error handling request")
    assert "bug" in said.getvalue()
    assert "noise" not in said.getvalue()


@pytest.mark.parametrize("unit", ["a.", "a-", "eyJ", "token ", "://a:", "jwt  "])
def test_the_longest_path_a_client_may_send_is_redacted_in_no_time(unit: str) -> None:
    path = "/" + unit * (8_000 // len(unit))
    started = time.process_time()
    redact_text(path)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_log_of_each_kind_holds_no_secret(said: io.StringIO, text: str, secret: str) -> None:
    log = structlog.get_logger()
    log.info(text)
    log.info("a field", path=text)
    log.info("deep", request={"headers": [text], "raw": text.encode()})
    log.bind(bound=text).info("bound")
    logging.getLogger("aiohttp.server").error("library says %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("a bug")
        logging.getLogger("asyncio").exception("a stray one")
    assert secret not in said.getvalue()
    assert len(said.getvalue().splitlines()) == 7


@pytest.mark.parametrize(
    "key", ["password", "Authorization", "jwt", "bearer", "csrf", "client_secret", "temp_url_sig", "authCode"]
)
def test_a_field_with_a_telling_name_is_never_shown(key: str) -> None:
    assert redact({"outer": {key: "value"}}) == {"outer": {key: "[redacted]"}}


def test_what_is_no_secret_stays() -> None:
    entry = {"path": "/api/account/12345678/login?v=1.3", "status": 200, "token_count": 5, "by": None}
    assert redact(entry) == entry


def test_temp_url_expiry_and_path_stay_readable() -> None:
    text = "PUT /v1/AUTH_1/c/o?temp_url_sig=abc&temp_url_expires=1704164705"
    assert redact_text(text) == "PUT /v1/AUTH_1/c/o?temp_url_sig=[redacted]&temp_url_expires=1704164705"


def test_every_line_is_json_with_level_and_moment(said: io.StringIO) -> None:
    structlog.get_logger().warning("something", account="12345678")
    line = json.loads(said.getvalue())
    assert line["event"] == "something"
    assert line["level"] == "warning"
    assert line["account"] == "12345678"
    assert line["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written(said: io.StringIO) -> None:
    structlog.get_logger().debug("detail")
    assert said.getvalue() == ""


def test_incident_ids_differ() -> None:
    assert new_incident_id() != new_incident_id()
