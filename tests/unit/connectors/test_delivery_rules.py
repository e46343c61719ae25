"""When to try again, when to give up, how an endpoint fares, which endpoint goes on for which."""

import pytest
from msgspec.structs import replace

from talkwire.connectors.delivery_model import Endpoint, EndpointState, Health, Reason
from talkwire.connectors.delivery_rules import (
    DOWN_AFTER,
    Permit,
    Policy,
    counted_out,
    delay_ms,
    drained,
    failed,
    is_expired,
    permit,
    plan_endpoints,
    policy_of,
    retry_at_ms,
    succeeded,
)
from talkwire.connectors.model import EventKey, Webhook
from talkwire.kernel.ids import AccountId

NOW = 1_704_164_705_000
BY_TIME = Policy(by_time=True, retention_ms=600_000)
URL = "https://c.example/hook"


@pytest.mark.parametrize(
    ("max_retries", "retention", "expected"),
    [
        (None, None, Policy(by_time=False, retries=3)),
        (5, None, Policy(by_time=False, retries=5)),
        (0, None, Policy(by_time=False, retries=0)),
        (None, 600, BY_TIME),
        (3, 600, BY_TIME),
        (0, 600, Policy(by_time=False, retries=0)),
    ],
)
def test_time_takes_precedence_except_over_an_explicit_none(
    max_retries: int | None, retention: int | None, expected: Policy
) -> None:
    assert policy_of(Webhook(URL, max_retries=max_retries), retention) == expected


def test_delays_double_up_to_five_minutes() -> None:
    assert [delay_ms(n) // 1000 for n in range(1, 11)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert delay_ms(10_000) == 300_000


def test_a_delivery_expires_with_its_retention_time() -> None:
    assert not is_expired(NOW - 599_999, BY_TIME, NOW)
    assert is_expired(NOW - 600_000, BY_TIME, NOW)
    assert not is_expired(0, Policy(by_time=False, retries=3), NOW)


def test_the_last_look_is_when_it_expires() -> None:
    assert retry_at_ms(1, NOW, BY_TIME, NOW) == NOW + 2_000
    assert retry_at_ms(9, NOW - 500_000, BY_TIME, NOW) == NOW + 100_000


def test_three_retries_are_four_attempts() -> None:
    policy = Policy(by_time=False, retries=3)
    assert [counted_out(n, policy) for n in (1, 2, 3, 4)] == [None, None, None, Reason.USED_UP]
    assert counted_out(1, Policy(by_time=False, retries=0)) is Reason.NO_RETRY


def failing(conversations: int, health: Health | None = None) -> Health:
    health = health or Health()
    for number in range(conversations):
        health = failed(health, f"c{number}", "answered 500", NOW, throttles=True)
    return health


def test_one_conversation_that_fails_again_and_again_does_not_bring_its_endpoint_down() -> None:
    health = Health()
    for _ in range(50):
        health = failed(health, "c0", "answered 500", NOW, throttles=True)
    assert health.state is EndpointState.FAILED
    assert not health.is_down
    assert permit(health, NOW) is Permit.ALL


def test_an_endpoint_that_fails_everybody_is_asked_once_in_a_while() -> None:
    health = failing(DOWN_AFTER)
    assert health.is_down
    assert permit(health, NOW) is Permit.NONE
    assert permit(health, NOW + 2_000) is Permit.ONE
    again = failed(health, "c9", "answered 500", NOW + 2_000, throttles=True)
    assert permit(again, NOW + 5_999) is Permit.NONE
    assert permit(again, NOW + 6_000) is Permit.ONE


def test_failures_that_were_under_way_already_do_not_lengthen_the_pause() -> None:
    assert failing(DOWN_AFTER + 20).retry_at_ms == NOW + 2_000


def test_a_node_that_takes_over_a_dead_endpoint_goes_on_asking_slowly() -> None:
    read = replace(failing(DOWN_AFTER), failing=frozenset())
    again = failed(read, "c0", "answered 500", NOW + 2_000, throttles=True)
    assert again.retry_at_ms == NOW + 6_000


def test_an_endpoint_that_was_down_breathes_four_seconds_and_then_recovers() -> None:
    back = succeeded(failing(DOWN_AFTER), NOW)
    assert back.state is EndpointState.IN_TRANSITION
    assert permit(back, NOW + 3_999) is Permit.NONE
    assert permit(back, NOW + 4_000) is Permit.ALL
    assert drained(back, NOW + 9_000).state is EndpointState.RECOVERED


def test_a_success_ends_a_row_of_failures() -> None:
    health = succeeded(failing(DOWN_AFTER - 1), NOW)
    assert permit(health, NOW) is Permit.ALL
    assert not failing(DOWN_AFTER - 1, health).is_down


def test_retry_by_count_never_stops_an_endpoint() -> None:
    health = Health()
    for number in range(50):
        health = failed(health, f"c{number}", "answered 500", NOW, throttles=False)
    assert permit(health, NOW) is Permit.ALL


def test_only_what_was_in_transition_recovers() -> None:
    assert drained(Health(), NOW) == Health()
    assert succeeded(Health(), NOW) == Health()


def endpoint(number: str, url: str, *keys: str) -> Endpoint:
    return Endpoint(
        account_id=AccountId("1"), endpoint_id=number, client_id="a", url=url, event_keys=keys, since_ms=5
    )


Hooks = dict[str, Webhook]
FRESH = [endpoint("new1", ""), endpoint("new2", "")]


def test_keys_with_one_address_are_one_endpoint() -> None:
    hooks: Hooks = {EventKey.CONTENT: Webhook(URL), EventKey.RICH_CONTENT: Webhook(URL)}
    plan = plan_endpoints([], hooks, FRESH)
    assert [(e.endpoint_id, e.url, len(e.event_keys)) for e in plan.kept] == [("new1", URL, 2)]


def test_a_receiver_that_moved_goes_on_where_it_stopped() -> None:
    known = [endpoint("old", "https://a.example/", EventKey.CONTENT)]
    plan = plan_endpoints(known, {EventKey.CONTENT: Webhook(URL)}, FRESH)
    assert [(e.endpoint_id, e.url) for e in plan.kept] == [("old", URL)]
    assert not plan.gone


def test_an_address_that_stays_keeps_its_endpoint_whatever_its_keys() -> None:
    known = [endpoint("old", URL, EventKey.CONTENT)]
    hooks: Hooks = {EventKey.RICH_CONTENT: Webhook(URL), EventKey.CONTENT: Webhook("https://b.example/")}
    plan = plan_endpoints(known, hooks, FRESH)
    assert {e.url: e.endpoint_id for e in plan.kept} == {URL: "old", "https://b.example/": "new1"}


def test_what_is_configured_no_more_is_gone() -> None:
    known = [endpoint("old", URL, EventKey.CONTENT)]
    assert plan_endpoints(known, {}, FRESH) == ((), tuple(known))
    other: Hooks = {EventKey.CONVERSATION: Webhook("https://b.example/")}
    assert plan_endpoints(known, other, FRESH).gone == tuple(known)
