"""Pure decisions of delivery: when to try again, when to give up, how an endpoint fares.

Source: docs/protocol.md 8.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from msgspec.structs import replace

from talkwire.connectors.delivery_model import Cursor, Endpoint, EndpointState, Health, Reason
from talkwire.connectors.model import EventKey, Webhook

COUNT_DELAY_MS = 30_000
DEFAULT_RETRIES = 3
FIRST_DELAY_MS = 2_000
MAX_DELAY_MS = 300_000
DRAIN_PAUSE_MS = 4_000
DOWN_AFTER = 5
"""Conversations in a row without one success: then it is the endpoint that is down, not one conversation."""

KEY_OF_KIND: dict[str, str] = {
    "content": EventKey.CONTENT,
    "file": EventKey.CONTENT,
    "rich": EventKey.RICH_CONTENT,
    "accept": EventKey.ACCEPT_STATUS,
    "chat": EventKey.CHAT_STATE,
}
"""By the log's word for an event."""


class Policy(NamedTuple):
    """How one failed delivery is tried again."""

    by_time: bool
    retention_ms: int = 0  # by time: given up after that
    retries: int = 0  # by count


def policy_of(webhook: Webhook, retention_seconds: int | None) -> Policy:
    """Time takes precedence over count; an explicit 0 is never retried; absent means 3."""
    if webhook.max_retries == 0:
        return Policy(by_time=False, retries=0)
    if retention_seconds is not None:
        return Policy(by_time=True, retention_ms=retention_seconds * 1000)
    return Policy(
        by_time=False, retries=DEFAULT_RETRIES if webhook.max_retries is None else webhook.max_retries
    )


def delay_ms(attempts: int) -> int:
    """Retry by time: how long to wait after so many failures: 2, 4, 8 … at most 300 s."""
    return int(min(FIRST_DELAY_MS << min(attempts - 1, 20), MAX_DELAY_MS))


def is_expired(event_at_ms: int, policy: Policy, now_ms: int) -> bool:
    return policy.by_time and now_ms - event_at_ms >= policy.retention_ms


def retry_at_ms(attempts: int, event_at_ms: int, policy: Policy, now_ms: int) -> int:
    """Retry by time: when to look at it again; never later than when it is given up."""
    return min(now_ms + delay_ms(attempts), max(now_ms + 1, event_at_ms + policy.retention_ms))


def counted_out(attempts: int, policy: Policy) -> Reason | None:
    """Retry by count: why to give up after so many attempts; None: try again in 30 s."""
    if policy.retries == 0:
        return Reason.NO_RETRY
    return Reason.USED_UP if attempts > policy.retries else None


# --- how an endpoint fares


class Permit(Enum):
    """What may be sent to an endpoint now."""

    ALL = "all"
    ONE = "one"  # to see whether it is back
    NONE = "none"


def failed(health: Health, conversation_id: str, error: str, now_ms: int, *, throttles: bool) -> Health:
    """After a delivery that failed. With `throttles` an endpoint that fails everybody is left alone a while."""
    failing = health.failing if len(health.failing) >= DOWN_AFTER else health.failing | {conversation_id}
    at_ms = health.at_ms if health.state is EndpointState.FAILED else now_ms
    failures, resume_at_ms = health.failures, health.retry_at_ms
    is_down = failures > 0 or len(failing) >= DOWN_AFTER
    if throttles and is_down and (not failures or now_ms >= resume_at_ms):
        failures += 1  # others that were under way at the same time say nothing new
        resume_at_ms = now_ms + delay_ms(failures)
    return Health(EndpointState.FAILED, at_ms, failing, failures, resume_at_ms, error)


def succeeded(health: Health, now_ms: int) -> Health:
    """After a delivery that went well. An endpoint that was down is given a moment to breathe."""
    if health.state is EndpointState.FAILED:
        resume_at_ms = now_ms + DRAIN_PAUSE_MS if health.is_down else now_ms
        return Health(EndpointState.IN_TRANSITION, now_ms, frozenset(), 0, resume_at_ms, health.last_error)
    return replace(health, failing=frozenset()) if health.failing else health


def drained(health: Health, now_ms: int) -> Health:
    """Nothing waits for it any more."""
    if health.state is not EndpointState.IN_TRANSITION:
        return health
    return Health(EndpointState.RECOVERED, now_ms, last_error=health.last_error)


def permit(health: Health, now_ms: int) -> Permit:
    if now_ms < health.retry_at_ms and (health.is_down or health.state is EndpointState.IN_TRANSITION):
        return Permit.NONE
    return Permit.ONE if health.is_down else Permit.ALL


# --- which endpoints an app has


class Plan(NamedTuple):
    """What becomes of an app's endpoints."""

    kept: tuple[Endpoint, ...]  # as they are from now on, new ones among them
    gone: tuple[Endpoint, ...]


def plan_endpoints(
    known: Iterable[Endpoint], webhooks: Mapping[str, Webhook], fresh: Iterable[Endpoint]
) -> Plan:
    """Match what is configured with what is known, so that a receiver that moved goes on where it stopped.

    An address keeps its endpoint; else an endpoint whose address is gone and that told one of the same
    events takes the new one; else the next of `fresh`, which only lend their ids and moments.
    """
    wanted: dict[str, list[str]] = {}
    for key, webhook in sorted(webhooks.items()):
        wanted.setdefault(webhook.endpoint, []).append(key)
    free = {endpoint.url: endpoint for endpoint in known}
    kept = [replace(free.pop(url), event_keys=tuple(keys)) for url, keys in wanted.items() if url in free]
    new = iter(fresh)
    for url, keys in wanted.items():
        if any(endpoint.url == url for endpoint in kept):
            continue
        moved = next((e for e in free.values() if set(e.event_keys) & set(keys)), None)
        if moved is not None:
            del free[moved.url]
        kept.append(replace(moved or next(new), url=url, event_keys=tuple(keys)))
    return Plan(tuple(kept), tuple(free.values()))


def is_behind(cursor: Cursor, version: int, events: int) -> bool:
    """Whether there is something to tell."""
    return version > cursor.told_version or events > cursor.told_events
