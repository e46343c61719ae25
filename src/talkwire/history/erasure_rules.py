"""Pure decisions of erasure: what a request may say, when it is due, what goes and how it is masked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from talkwire.conversations.model import Conversation, State
from talkwire.history.erasure_errors import ErasureFinal, ErasureNotUnderstood, TooManyErasures
from talkwire.history.erasure_model import (
    MASK,
    ErasureRequest,
    ErasureTimes,
    Item,
    ItemKind,
    RequestState,
    SubjectKind,
)

MAX_IDS = 100
MAX_ID_CHARACTERS = 256
REQUESTS_PER_MONTH = 100
RETRY_MS = 60_000
"""How soon what could not be finished is tried again."""

WAIT_FOR_OPEN_MS = 600_000
"""How soon conversations that were open are looked at again."""

MOST_ROUNDS = 8
"""How often a run looks again for what came in meanwhile."""

DAY_MS = 86_400_000

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def subjects_of(body: Mapping[str, Any]) -> tuple[SubjectKind, tuple[str, ...]]:
    """What a request asks for: exactly one list of ids, each once. Raises ErasureNotUnderstood.

    Source: docs/protocol.md 9.11.
    """
    named = [kind for kind in SubjectKind if body.get(kind.value) is not None]
    if len(named) != 1:
        raise ErasureNotUnderstood("Send exactly one of: engagement, conversation, consumer")
    ids = body[named[0].value]
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IDS:
        raise ErasureNotUnderstood(f"{named[0].value} must be a list of 1 to {MAX_IDS} ids")
    return named[0], tuple(dict.fromkeys(_id_of(one) for one in ids))


def _id_of(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ErasureNotUnderstood("An id is a text")
    text = str(value).strip()
    if not text or len(text) > MAX_ID_CHARACTERS or not text.isprintable():
        raise ErasureNotUnderstood(f"An id has 1 to {MAX_ID_CHARACTERS} characters")
    return text


def due_at(requested_at_ms: int, times: ErasureTimes) -> int:
    return requested_at_ms + times.cancel_seconds * 1000


def deadline_at(requested_at_ms: int, times: ErasureTimes) -> int:
    """Counted from when the request is final. Source: docs/protocol.md 9.11."""
    return due_at(requested_at_ms, times) + times.deadline_days * DAY_MS


def month_began(now_ms: int) -> int:
    """The first moment of this calendar month, UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    return int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp() * 1000)


def month_ends_in_seconds(now_ms: int) -> int:
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)  # noqa: PLR2004 -- December
    following = datetime(year, month, 1, tzinfo=UTC)
    return max(1, int(following.timestamp() - now_ms / 1000))


def admit_request(requests_this_month: int, now_ms: int) -> None:
    """Raises TooManyErasures."""
    if requests_this_month >= REQUESTS_PER_MONTH:
        raise TooManyErasures(
            f"At most {REQUESTS_PER_MONTH} deletion requests a month", month_ends_in_seconds(now_ms)
        )


def check_cancellable(request: ErasureRequest, now_ms: int) -> None:
    """Raises ErasureFinal."""
    if request.state is RequestState.CANCELED:
        raise ErasureFinal("The request was cancelled before")
    if request.state is not RequestState.NOT_STARTED or now_ms >= request.due_at_ms:
        raise ErasureFinal("The time to cancel the request is over")


def is_overdue(request: ErasureRequest, now_ms: int) -> bool:
    return now_ms >= request.deadline_at_ms


def is_closed(conversation: Conversation) -> bool:
    """Only closed conversations are erased. Source: docs/protocol.md 9.11."""
    return conversation.stage is State.CLOSE


def items_to_erase(planned: Sequence[Item], before: Sequence[Item], back: Sequence[Item]) -> list[Item]:
    """What a round takes in hand: what was begun, what is new, and what was done and is `back`.

    With any of it the consumers once more: who came again has a key, a profile and a name in the trail again.
    """
    done = {(item.kind, item.ref) for item in before if item.done_at_ms is not None}
    again = {(item.kind, item.ref) for item in back}
    begun = {(item.kind, item.ref): item for item in before if item.done_at_ms is None}
    new = {(i.kind, i.ref): i for i in planned if (i.kind, i.ref) not in done or (i.kind, i.ref) in again}
    items = {**begun, **new}
    if items:
        items |= {(item.kind, item.ref): item for item in planned if item.kind is ItemKind.CONSUMER}
    return list(items.values())


def with_details(items: Sequence[Item], noted: Sequence[Item]) -> list[Item]:
    """Items of the ledger with what was noted of them before they were erased, for the receipt."""
    details = {(item.kind, item.ref): item.detail for item in noted}
    return [Item(item.kind, item.ref, details.get((item.kind, item.ref), item.detail)) for item in items]


class Shown(NamedTuple):
    """A file that belongs to what is to be erased. `detail`: of it, for the receipt."""

    relative_path: str
    detail: dict[str, Any]
    is_consumers: bool  # uploaded by a consumer
    shown_elsewhere: bool  # in a conversation that stays


def item_of_file(shown: Shown) -> ItemKind:
    """A consumer's upload goes wherever it was shown again; a brand's stays where others see it."""
    if not shown.is_consumers and shown.shown_elsewhere:
        return ItemKind.SHARED_FILE
    return ItemKind.FILE


def split_open(conversations: Iterable[Conversation]) -> tuple[list[Conversation], list[Conversation]]:
    """Those that may be erased now, and those that are still open."""
    closed: list[Conversation] = []
    still_open: list[Conversation] = []
    for conversation in conversations:
        (closed if is_closed(conversation) else still_open).append(conversation)
    return closed, still_open


def masked_event(event: bytes) -> bytes:
    """The event without anything that somebody said; of the same kind, so that every client can show it.

    Marks of what was read say nothing of a person but that they read: they stay.
    """
    decoded = _decode(event)
    kind = decoded.get("type") if isinstance(decoded, dict) else None
    if kind == "AcceptStatusEvent":
        return event
    if kind == "RichContentEvent":
        return _encode({"type": kind, "content": {"type": "text", "text": MASK}})
    if kind == "ContentEvent" and isinstance(decoded.get("message"), dict):
        return _masked_object(decoded)
    return _encode({"type": "ContentEvent", "contentType": "text/plain", "message": MASK})


def _masked_object(decoded: dict[str, Any]) -> bytes:
    """A hosted file keeps its path, which then leads nowhere; its words go."""
    message = decoded["message"]
    path, file_type = message.get("relativePath"), message.get("fileType")
    if not isinstance(path, str):
        return _encode({"type": "ContentEvent", "contentType": "text/plain", "message": MASK})
    return _encode(
        {
            "type": "ContentEvent",
            "contentType": decoded.get("contentType"),
            "message": {"relativePath": path, "fileType": file_type, "caption": MASK, "erased": True},
        }
    )


def is_masked(event: bytes) -> bool:
    return masked_event(event) == event


def masked_record(conversation: Conversation) -> Conversation:
    """The record without note, topic, why somebody said it was closed, and whatever the client said of itself."""
    dialogs = tuple(
        msgspec.structs.replace(one, closed_cause=MASK if one.closed_cause else "")
        for one in conversation.dialogs
    )
    return msgspec.structs.replace(
        conversation,
        dialogs=dialogs,
        note=MASK if conversation.note else "",
        topic=MASK if conversation.topic else "",
        context={},
    )
