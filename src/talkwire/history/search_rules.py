"""What a search may say, who may see what, and how the past is read out of steps. Pure.

Source: docs/protocol.md 9.10.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from talkwire.conversations.model import State
from talkwire.history.search_errors import SearchInvalid
from talkwire.history.search_model import EVERYTHING, Content, Page, Span
from talkwire.identity.model import Principal, Privilege

MAX_LIMIT = 100
DEFAULT_LIMIT = 50
MAX_OFFSET = 10_000_000
MAX_LISTED = 1_000
MAX_MS = 2**53
VERSIONS = ("1", "2")

KNOWN_FILTERS = frozenset(
    {
        "start", "end", "status", "agentIds", "latestAgentIds", "skillIds", "latestSkillIds", "duration",
        "contentToRetrieve", "consumer", "conversationId", "conversationIds",
    }
)  # fmt: skip
UNSUPPORTED_FILTERS = frozenset(
    {
        "agentGroupIds", "keyword", "summary", "mcs", "alertedMcsValues", "csat", "source", "device",
        "messageContentTypes", "latestConversationQueueState", "sdeSearch",
    }
)  # fmt: skip
"""Filters of the field that we do not have: ignoring one would answer with what was not asked for."""


def check_filters(body: Mapping[str, Any]) -> None:
    """Raises SearchInvalid for a filter that we know of and do not have; others are ignored, as elsewhere."""
    for name in sorted(UNSUPPORTED_FILTERS & body.keys()):
        if body[name] not in (None, "", []):
            raise SearchInvalid(f"The filter {name} is not supported")


def sees_all(who: Principal) -> bool:
    """Managers and administrators read the whole account; others what they took part in."""
    return not who.is_consumer and who.may(Privilege.SEE_ALL_CONVERSATIONS)


def page_of(query: Mapping[str, str]) -> Page:
    """Offset, limit and order as the address says them. Raises SearchInvalid."""
    if query.get("v", "1").strip() not in VERSIONS:
        raise SearchInvalid("v is 1 or 2")
    offset = _whole(query.get("offset") or "0", "offset")
    limit = _whole(query.get("limit") or str(DEFAULT_LIMIT), "limit")
    if not 0 <= offset <= MAX_OFFSET:
        raise SearchInvalid(f"offset is between 0 and {MAX_OFFSET}")
    if not 1 <= limit <= MAX_LIMIT:
        raise SearchInvalid(f"limit is between 1 and {MAX_LIMIT}")
    field, _, order = (query.get("sort") or "start:desc").partition(":")
    if field != "start" or order not in ("asc", "desc", ""):
        raise SearchInvalid("sort is start:asc or start:desc")
    return Page(offset, limit, newest_first=order != "asc")


def span_of(value: object, name: str, *, unit: int = 1) -> Span | None:
    """`{"from", "to"}`: one end may be left out; numbers also as text. Raises SearchInvalid."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise SearchInvalid(f"{name} is an object with from and to")
    start, end = value.get("from"), value.get("to")
    if start is None and end is None:
        raise SearchInvalid(f"{name} needs from or to")
    first = 0 if start is None else _whole(start, f"{name}.from")
    last = MAX_MS // unit if end is None else _whole(end, f"{name}.to")
    if not 0 <= first <= last <= MAX_MS:
        raise SearchInvalid(f"{name}.from is after {name}.to, or out of range")
    return Span(first * unit, min(last * unit, MAX_MS))


def states_of(value: object) -> frozenset[State]:
    """`["OPEN", "CLOSE"]`, or one bare. Raises SearchInvalid."""
    try:
        return frozenset(State(text.upper()) for text in texts_of(value, "status"))
    except ValueError:
        raise SearchInvalid("status holds OPEN and CLOSE") from None


def contents_of(value: object) -> frozenset[Content]:
    """The parts asked for: all when nothing is said. Names of the field that we do not have are ignored."""
    known = {content.value for content in Content}
    wanted = texts_of(value, "contentToRetrieve")
    return frozenset(Content(name) for name in wanted if name in known) if wanted else EVERYTHING


def texts_of(value: object, name: str) -> tuple[str, ...]:
    """A list of ids or words, as texts or numbers; one bare counts as a list. Raises SearchInvalid."""
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_LISTED:
        raise SearchInvalid(f"{name} holds at most {MAX_LISTED} items")
    if any(isinstance(item, bool) or not isinstance(item, str | int) for item in items):
        raise SearchInvalid(f"{name} holds texts or numbers")
    return tuple(str(item) for item in items if str(item))


def _whole(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) <= 16:  # noqa: PLR2004 -- 2**53
        number = int(value)
    else:
        raise SearchInvalid(f"{name} is a whole number")
    return number


def unique(ids: Iterable[str]) -> Sequence[str]:
    return tuple(dict.fromkeys(ids))
