import pytest

from talkwire.connectors import rules
from talkwire.connectors.errors import AppInvalid, ExternalIdInvalid, TooManySends
from talkwire.connectors.model import EVENT_KEYS, App, AppDraft, Webhook
from talkwire.connectors.rates import Rates
from talkwire.kernel.ids import AccountId

ACCOUNT = AccountId("12345678")
KEY = EVENT_KEYS[1]
ENGAGEMENT = {"entry_point": ["url"], "consumer_identity": ["auth"]}


def draft(**members: object) -> AppDraft:
    return AppDraft(name="sms", **members)  # type: ignore[arg-type]


def hooked(endpoint: str = "https://hooks.example/in", **members: object) -> AppDraft:
    return draft(webhooks={KEY: Webhook(endpoint, **members)})  # type: ignore[arg-type]


def made(one: AppDraft) -> App:
    return rules.new_app(ACCOUNT, "id", one, b"sealed", 1_000)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://hooks.example",
        "https://hooks.example:8443/in?x=1",
        "https://[2001:db8::1]/x",
        "HTTPS://a/b",
        "https://198.51.100.7/",
        "https://in_house.b-2.example./",
        "https://xn--hks-tna.example:/",
    ],
)
def test_an_endpoint_is_https(endpoint: str) -> None:
    rules.check_endpoint(endpoint)
    rules.check_endpoint(endpoint, allow_plain_loopback=True)


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "hooks.example", "//hooks.example/x", "ftp://hooks.example/x", "http://hooks.example/x",
        "https://", "https:///x", "https://a:b@hooks.example/x", "https://a@hooks.example", "https://a/#part",
        "https://hooks.example:99999/", "https://hooks.example:x/", "https://hooks .example/",
        "https://hooks.example/\r\nX: y", "https://hooks.example\\@evil.example/", "https://hööks.example/",
        "https://[::1/x", "file:///etc/passwd", "javascript:alert(1)", "https://a/" + "x" * 2048,
        "https://2130706433/", "https://017700000001/", "https://0x7f000001/", "https://127.1/", "https://1.2.3.4.5/",
        "https://a..b/", "https://-/", "https://" + "a" * 64 + ".example/", "https://%6c%6f%63alhost/",
        "https://" + "a." * 126 + "aa/", "https://[v1.fe80::a+en1]/", "https://hooks.example:0/",
    ],
)  # fmt: skip
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    for allow in (False, True):
        with pytest.raises(AppInvalid):
            rules.check_endpoint(endpoint, allow_plain_loopback=allow)


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "127.9.9.9:1", "[::1]:80"])
def test_plain_http_is_for_a_demo_and_this_machine_only(host: str) -> None:
    rules.check_endpoint(f"http://{host}/x", allow_plain_loopback=True)
    with pytest.raises(AppInvalid):
        rules.check_endpoint(f"http://{host}/x")


@pytest.mark.parametrize("host", ["localhost.example", "127.0.0.1.example", "128.0.0.1", "[::2]", "0.0.0.0"])
def test_what_only_looks_like_this_machine_is_another(host: str) -> None:
    with pytest.raises(AppInvalid):
        rules.check_endpoint(f"http://{host}/x", allow_plain_loopback=True)


@pytest.mark.parametrize(
    "fitting",
    [
        draft(), draft(description="x" * 4096), hooked(max_retries=0), hooked(max_retries=5), hooked(max_retries=None),
        draft(webhooks={}, retention_seconds=2), draft(webhooks={}, retention_seconds=259_200),
        draft(webhooks={key: Webhook("https://a/b") for key in EVENT_KEYS}),
        hooked(headers=(("Authorization", "Basic eA=="), ("x-y", ""))),
        draft(capabilities={"engagement": ENGAGEMENT, "broadcast": {"enabled": False}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "entry_point": [str(n) for n in range(10)]}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "target_audience": [str(n) for n in range(20)]}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "goal": []}}),
        draft(scope="msg.consumer a:b/c"), draft(scope=""),
    ],
)  # fmt: skip
def test_what_an_installation_may_be(fitting: AppDraft) -> None:
    rules.check_draft(fitting)


@pytest.mark.parametrize(
    "unfit",
    [
        AppDraft(name=""), AppDraft(name=" x"), AppDraft(name="x" * 257), AppDraft(name="a\nb"),
        draft(description="x" * 4097), draft(logo_uri="x" * 4097),
        hooked(max_retries=6), hooked(max_retries=-1), hooked("http://a/b"),
        draft(webhooks={"ms.NoSuchEvent": Webhook("https://a/b")}),
        draft(webhooks={}, retention_seconds=1), draft(webhooks={}, retention_seconds=259_201),
        hooked(headers=tuple((f"x-{n}", "y") for n in range(21))),
        hooked(headers=(("x", "y"), ("X", "z"))), hooked(headers=(("", "y"),)), hooked(headers=(("x y", "z"),)),
        hooked(headers=(("x", "a\r\nb: c"),)), hooked(headers=(("x", "ü"),)), hooked(headers=(("Host", "a"),)),
        hooked(headers=(("content-length", "1"),)), hooked(headers=(("X-Liveperson-Signature", "sha1="),)),
        draft(capabilities={"engagement": []}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "entry_point": []}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "entry_point": [str(n) for n in range(11)]}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "visitor_behavior": [str(n) for n in range(11)]}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "target_audience": [str(n) for n in range(21)]}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "goal": [str(n) for n in range(11)]}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "consumer_identity": []}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "consumer_identity": list("abcdef")}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "goal": ["a", "a"]}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "goal": [7]}}),
        draft(capabilities={"engagement": {**ENGAGEMENT, "goal": "a"}}),
        draft(capabilities={"x": "y" * 70_000}),
        draft(scope="a a"), draft(scope="ü"), draft(grant_types=("a b",)), draft(grant_types=tuple("abcdefghijklmnopq")),
    ],
)  # fmt: skip
def test_what_an_installation_may_not_be(unfit: AppDraft) -> None:
    with pytest.raises(AppInvalid):
        rules.check_draft(unfit)


def test_an_installation_needs_a_name() -> None:
    with pytest.raises(AppInvalid, match="client_name is missing"):
        made(AppDraft())


def test_a_change_takes_what_it_gives_and_leaves_the_rest() -> None:
    app = made(
        AppDraft(name="sms", description="d", webhooks={KEY: Webhook("https://a/b")}, retention_seconds=60)
    )
    after = rules.changed(app, AppDraft(enabled=False), 2_000)
    assert (after.name, after.description, after.enabled) == ("sms", "d", False)
    assert (after.webhooks, after.retention_seconds) == (app.webhooks, 60)
    assert (after.created_at_ms, after.updated_at_ms) == (1_000, 2_000)
    bare = rules.changed(app, AppDraft(webhooks={}), 2_000)
    assert (bare.webhooks, bare.retention_seconds) == ({}, None)


def test_what_is_let_go_keeps_neither_secret_nor_address() -> None:
    app = rules.without(made(hooked()), 2_000)
    assert (app.deleted, app.enabled, app.is_in_use) == (True, False, False)
    assert (app.webhooks, app.sealed_secret) == ({}, b"")


@pytest.mark.parametrize("name", ["", "x" * 257, 7, None, "\ud800"])
def test_a_consumer_needs_a_name(name: object) -> None:
    with pytest.raises(ExternalIdInvalid):
        rules.check_external_id(name, 256)


def test_a_consumers_id_is_a_function_of_account_app_and_name() -> None:
    one = rules.consumer_id_of(ACCOUNT, "app", "ann")
    assert one == rules.consumer_id_of(ACCOUNT, "app", "ann")
    assert len(one) == 64
    assert int(one, 16)
    others = {
        rules.consumer_id_of(AccountId("1234567"), "8app", "ann"),
        rules.consumer_id_of(ACCOUNT, "app2", "ann"),
        rules.consumer_id_of(ACCOUNT, "app", "Ann"),
        rules.consumer_id_of(ACCOUNT, "ap", "pann"),
    }
    assert len(others | {one}) == 5


def test_an_app_has_a_burst_and_then_its_rate() -> None:
    rates = Rates(per_second=10, burst=3)
    for _ in range(3):
        rates.take("a", "app", 1_000)
    with pytest.raises(TooManySends) as refusal:
        rates.take("a", "app", 1_000)
    assert refusal.value.retry_after_seconds == 1
    rates.take("a", "other", 1_000)
    rates.take("a", "app", 1_100)
    with pytest.raises(TooManySends):
        rates.take("a", "app", 1_100)
    with pytest.raises(TooManySends):
        rates.take("a", "app", 900)  # a clock that was set back gives nothing


def test_apps_beyond_number_do_not_fill_the_memory() -> None:
    rates = Rates(per_second=10, burst=3)
    for number in range(25_000):
        rates.take("a", str(number), 1_000)
    assert len(rates._buckets) <= 10_000
