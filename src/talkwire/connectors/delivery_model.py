"""The nouns of delivery: endpoints and how they fare, cursors, retries, dead letters."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from talkwire.kernel.ids import AccountId


class EndpointState(StrEnum):
    """How an endpoint fares. Source: docs/protocol.md 8."""

    UP = "UP"
    FAILED = "FAILED"
    IN_TRANSITION = "IN_TRANSITION"  # it answers again; what waited is delivered
    RECOVERED = "RECOVERED"  # nothing waits any more


class Reason(StrEnum):
    """Why a delivery was given up."""

    USED_UP = "retries used up"
    EXPIRED = "retention time over"
    NO_RETRY = "no retries wanted"
    DROPPED = "dropped by an operator"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One address that an app is told at, and the event keys that go there."""

    account_id: AccountId
    endpoint_id: str
    client_id: str
    url: str
    event_keys: tuple[str, ...]
    since_ms: int  # what happened before is not delivered
    looked_until_ms: int = 0  # conversations changed before this have a cursor


class Health(msgspec.Struct, frozen=True):
    """What is known of an endpoint's health. `failures` counts probes since it is down; 0: it is not."""

    state: EndpointState = EndpointState.UP
    at_ms: int = 0  # when this state began
    failing: frozenset[str] = frozenset()  # conversations that failed since the last success
    failures: int = 0
    retry_at_ms: int = 0  # nothing is sent before
    last_error: str = ""

    @property
    def is_down(self) -> bool:
        return self.failures > 0


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far an endpoint was told of one conversation."""

    conversation_id: str
    told_version: int = 0  # of the conversation's record
    positions: dict[str, int] = {}  # dialog to the next sequence to tell
    attempts: int = 0  # failed ones of what is at the head
    retry_at_ms: int = 0
    is_done: bool = False  # closed, and all of it told

    @property
    def told_events(self) -> int:
        return sum(self.positions.values())


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What names one delivery for good. `sequence` is the record's version when the key is CONVERSATION."""

    delivery_id: str
    event_key: str
    conversation_id: str
    dialog_id: str
    sequence: int
    event_at_ms: int


class Retry(NamedTuple):
    """A delivery that is tried again by itself, out of order."""

    delivery: Delivery
    attempts: int  # made so far
    retry_at_ms: int
    last_error: str


class DeadLetter(NamedTuple):
    """A delivery that was given up. The event itself stays in the log."""

    delivery: Delivery
    reason: str
    attempts: int
    last_error: str
    died_at_ms: int


class StoredLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as an operator sees it."""

    account_id: AccountId
    endpoint_id: str
    client_id: str
    url: str
    delivery: Delivery
    reason: str
    attempts: int
    last_error: str
    died_at_ms: int


class EndpointReport(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as an operator sees it."""

    endpoint: Endpoint
    state: EndpointState
    state_at_ms: int
    failures: int
    retry_at_ms: int
    last_error: str
    waiting: int  # conversations with something to tell
    retrying: int  # deliveries tried again by themselves
    dead: int
