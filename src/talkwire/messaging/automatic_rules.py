"""Which automatic messages a new conversation gets: what an account declares, and when it holds. Pure.

Source: Connector API, "How to enable AUTO_MESSAGES"; docs/protocol.md 7.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from talkwire.conversations.model import Conversation, State
from talkwire.messaging.errors import AutomaticMessageInvalid

FEATURE = "AUTO_MESSAGES"
WINDOW_MS = 10_000
"""How soon after the conversation the consumer's first message must come."""

MAX_MESSAGES = 50
MAX_TEXT_BYTES = 8_192
MAX_NAME_CHARACTERS = 256
MAX_SPANS = 50
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
DAY_MINUTES = 24 * 60
_SKILL = re.compile(r"-1|[0-9]{1,10}")


class Trigger(StrEnum):
    CONVERSATION_OPENED = "conversationOpened"  # any conversation; with hours, only within them
    FIRST_CONVERSATION = "firstConversation"  # the consumer's first ever; with hours, only within them
    OUTSIDE_HOURS = "outsideHours"  # any conversation, outside the hours


class OpenSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some hours of some days; `until` is not in it, and may be 24:00."""

    days: tuple[str, ...]
    start: str = msgspec.field(name="from")
    until: str = msgspec.field(name="to")


class Hours(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """When somebody is there."""

    spans: tuple[OpenSpan, ...]
    time_zone: str = "UTC"


class AutomaticMessage(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    name: str
    trigger: Trigger
    text: str
    skill_ids: tuple[str, ...] = ()  # conversations under one of these; empty: under any
    hours: Hours | None = None
    enabled: bool = True


def checked(messages: Sequence[AutomaticMessage]) -> tuple[AutomaticMessage, ...]:
    """The messages as they are kept. Raises AutomaticMessageInvalid."""
    if len(messages) > MAX_MESSAGES:
        raise AutomaticMessageInvalid(f"An account has at most {MAX_MESSAGES} automatic messages")
    if len({message.name for message in messages}) != len(messages):
        raise AutomaticMessageInvalid("Two automatic messages have one name")
    for message in messages:
        _check(message)
    return tuple(messages)


def _check(message: AutomaticMessage) -> None:
    if not message.name.strip() or len(message.name) > MAX_NAME_CHARACTERS:
        raise AutomaticMessageInvalid(f"A name has 1 to {MAX_NAME_CHARACTERS} characters")
    if not message.text.strip() or len(message.text.encode()) > MAX_TEXT_BYTES:
        raise AutomaticMessageInvalid(f"A text has 1 to {MAX_TEXT_BYTES} bytes")
    if not all(_SKILL.fullmatch(skill_id) for skill_id in message.skill_ids):
        raise AutomaticMessageInvalid("A skill's id is a number of up to ten digits")
    if message.hours is None:
        if message.trigger is Trigger.OUTSIDE_HOURS:
            raise AutomaticMessageInvalid("outsideHours needs hours")
        return
    if not 0 < len(message.hours.spans) <= MAX_SPANS:
        raise AutomaticMessageInvalid(f"Hours have 1 to {MAX_SPANS} spans")
    for span in message.hours.spans:
        if not span.days or set(span.days) - set(DAYS):
            raise AutomaticMessageInvalid(f"Days are {', '.join(DAYS)}")
        if minutes_of(span.start) >= minutes_of(span.until):
            raise AutomaticMessageInvalid("A span begins before it ends; over midnight it takes two")
    _zone(message.hours.time_zone)


def minutes_of(clock_time: str) -> int:
    """Minutes since midnight of `09:00`; 24:00 is the end of the day. Raises AutomaticMessageInvalid."""
    hours, colon, minutes = clock_time.partition(":")
    if colon and len(hours) == len(minutes) == 2 and (hours + minutes).isdecimal():  # noqa: PLR2004 -- hh:mm
        total = int(hours) * 60 + int(minutes)
        if int(minutes) < 60 and total <= DAY_MINUTES:  # noqa: PLR2004
            return total
    raise AutomaticMessageInvalid("A time is hh:mm")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise AutomaticMessageInvalid(f"Unknown time zone {name[:64]!r}") from None


def is_within(hours: Hours, at_ms: int) -> bool:
    """Whether somebody is there at a moment."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_zone(hours.time_zone))
    day, minute = DAYS[moment.weekday()], moment.hour * 60 + moment.minute
    return any(
        day in span.days and minutes_of(span.start) <= minute < minutes_of(span.until) for span in hours.spans
    )


def due(
    messages: Sequence[AutomaticMessage], conversation: Conversation, at_ms: int
) -> list[AutomaticMessage]:
    """Those that the first message of a conversation brings about, in their order; `at_ms` is when it came."""
    if conversation.main.state is not State.OPEN:
        return []
    return [message for message in messages if message.enabled and _holds(message, conversation, at_ms)]


def _holds(message: AutomaticMessage, conversation: Conversation, at_ms: int) -> bool:
    if message.skill_ids and conversation.skill_id not in message.skill_ids:
        return False
    within = message.hours is None or is_within(message.hours, at_ms)
    if message.trigger is Trigger.OUTSIDE_HOURS:
        return not within
    if message.trigger is Trigger.FIRST_CONVERSATION and not conversation.first_conversation:
        return False
    return within


def is_in_time(conversation: Conversation, at_ms: int) -> bool:
    """Whether a first message came soon enough."""
    return 0 <= at_ms - conversation.created_at_ms <= WINDOW_MS


def asks_for_messages(properties: object) -> bool:
    """Whether client properties have the feature; anything that is no properties has not."""
    features = properties.get("features") if isinstance(properties, Mapping) else None
    return isinstance(features, list) and FEATURE in features


def was_asked_for(conversation: Conversation) -> bool:
    """Whether it was opened with the feature."""
    context: Mapping[str, Any] = conversation.context
    return asks_for_messages(context.get("clientProperties"))
