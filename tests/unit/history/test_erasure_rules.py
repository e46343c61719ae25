"""Decisions of erasure at their edges."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from talkwire.conversations.model import Conversation, Dialog, DialogType, Ttr, TtrType
from talkwire.history.erasure_errors import ErasureFinal, TooManyErasures
from talkwire.history.erasure_model import (
    MASK,
    ErasureRequest,
    ErasureTimes,
    Item,
    ItemKind,
    RequestState,
    SubjectKind,
)
from talkwire.history.erasure_rules import (
    REQUESTS_PER_MONTH,
    Shown,
    admit_request,
    check_cancellable,
    deadline_at,
    due_at,
    is_masked,
    is_overdue,
    item_of_file,
    items_to_erase,
    masked_event,
    masked_record,
    month_began,
    month_ends_in_seconds,
)
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId

TEXT = {"type": "ContentEvent", "contentType": "text/plain", "message": MASK}


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


def request(state: RequestState = RequestState.NOT_STARTED) -> ErasureRequest:
    return ErasureRequest(
        account_id=AccountId("1"),
        request_id=1,
        kind=SubjectKind.CONSUMER,
        subjects=("a",),
        requested_by="x",
        requested_at_ms=0,
        due_at_ms=due_at(0, ErasureTimes(60, 2)),
        deadline_at_ms=deadline_at(0, ErasureTimes(60, 2)),
        state=state,
    )


@pytest.mark.parametrize(
    ("event", "masked"),
    [
        ({"type": "ContentEvent", "contentType": "text/plain", "message": "Ada"}, TEXT),
        ({"type": "ContentEvent", "message": "Ada", "quickReplies": {"x": "Ada"}}, TEXT),
        ({"type": "ContentEvent", "contentType": "forms/secure-invitation", "message": {"id": "Ada"}}, TEXT),
        (
            {"type": "RichContentEvent", "content": {"title": "Ada"}, "quickReplies": 1},
            {"type": "RichContentEvent", "content": {"type": "text", "text": MASK}},
        ),
        (
            {
                "type": "ContentEvent",
                "contentType": "hosted/file",
                "message": {"relativePath": "/p", "fileType": "PNG", "caption": "Ada", "preview": "Ada"},
            },
            {
                "type": "ContentEvent",
                "contentType": "hosted/file",
                "message": {"relativePath": "/p", "fileType": "PNG", "caption": MASK, "erased": True},
            },
        ),
        (
            {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]},
            {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]},
        ),
        ({"type": "Unheard of", "message": "Ada"}, TEXT),
        (["Ada"], TEXT),
    ],
)
def test_nothing_that_was_said_stays_and_twice_is_once(event: Any, masked: Any) -> None:
    once = masked_event(msgspec.json.encode(event))
    assert msgspec.json.decode(once) == masked
    assert masked_event(once) == once
    assert is_masked(once)
    assert b"Ada" not in once


def test_nothing_stays_in_a_record_that_anybody_wrote() -> None:
    dialog = Dialog(DialogId("d"), DialogType.MAIN, 0, 0, closed_cause="Zoë has moved to Mill Lane 3")
    quiet = Dialog(DialogId("e"), DialogType.POST_SURVEY, 0, 0)
    conversation = Conversation(
        account_id=AccountId("1"),
        conversation_id=ConversationId("c"),
        consumer_id=ParticipantId("zoe"),
        version=1,
        created_at_ms=0,
        updated_at_ms=0,
        ttr=Ttr(TtrType.NORMAL, 60),
        participants=(),
        dialogs=(dialog, quiet),
        note="Zoë",
        topic="Zoë",
        context={"name": "Zoë"},
    )
    masked = masked_record(conversation)
    assert b"Zo" not in msgspec.json.encode(masked)
    assert [one.closed_cause for one in masked.dialogs] == [MASK, ""]
    assert masked_record(masked) == masked


def test_a_request_is_final_when_its_time_is_over() -> None:
    check_cancellable(request(), 59_999)
    for refused, now_ms in (
        (request(), 60_000),
        (request(RequestState.CANCELED), 0),
        (request(RequestState.IN_PROGRESS), 0),
        (request(RequestState.DONE), 0),
    ):
        with pytest.raises(ErasureFinal):
            check_cancellable(refused, now_ms)


def test_the_deadline_counts_from_when_it_is_final() -> None:
    last = 60_000 + 2 * 86_400_000
    assert not is_overdue(request(), last - 1)
    assert is_overdue(request(), last)


@pytest.mark.parametrize(
    ("now", "began", "seconds"),
    [
        ((2026, 12, 31, 23, 59, 59), (2026, 12, 1), 1),
        ((2027, 1, 1), (2027, 1, 1), 31 * 86_400),
        ((2028, 2, 28), (2028, 2, 1), 2 * 86_400),
    ],
)
def test_months_are_of_the_calendar(now: Any, began: Any, seconds: int) -> None:
    assert month_began(ms(*now)) == ms(*began)
    assert month_ends_in_seconds(ms(*now)) == seconds


def test_a_month_has_so_many_requests() -> None:
    admit_request(REQUESTS_PER_MONTH - 1, ms(2026, 11, 20))
    with pytest.raises(TooManyErasures) as refusal:
        admit_request(REQUESTS_PER_MONTH, ms(2026, 11, 20))
    assert refusal.value.retry_after_seconds == 11 * 86_400


@pytest.mark.parametrize(
    ("is_consumers", "elsewhere", "kind"),
    [
        (True, True, ItemKind.FILE),
        (True, False, ItemKind.FILE),
        (False, False, ItemKind.FILE),
        (False, True, ItemKind.SHARED_FILE),
    ],
)
def test_only_a_brands_file_that_others_see_stays(
    is_consumers: bool, elsewhere: bool, kind: ItemKind
) -> None:
    assert item_of_file(Shown("/p", {}, is_consumers, elsewhere)) is kind


def test_a_round_takes_what_was_begun_what_is_new_and_what_came_back_with_its_consumer() -> None:
    who = Item(ItemKind.CONSUMER, "who")
    old, new = Item(ItemKind.CONVERSATION, "old"), Item(ItemKind.CONVERSATION, "new")
    begun = Item(ItemKind.FILE, "begun", {"keyId": "k"})
    done = [msgspec.structs.replace(item, done_at_ms=5) for item in (who, old)]
    assert items_to_erase([who, old], done, []) == []
    assert items_to_erase([old, new], done, []) == [new]
    assert items_to_erase([who, old, new], done, []) == [new, who]
    assert items_to_erase([who, old], done, [done[1]]) == [old, who]
    assert items_to_erase([who, old], done, [done[0]]) == [who]
    assert items_to_erase([who, old], [*done, begun], []) == [begun, who]
    assert items_to_erase([old], done, [done[0]]) == []  # it has an open conversation again: that waits
