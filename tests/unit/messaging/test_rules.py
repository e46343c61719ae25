"""May this one publish this, here, now? Source: docs/protocol.md 5.6, Appendix A7, A9."""

import msgspec
import pytest

from talkwire.conversations.model import Dialog, DialogType, Role, State
from talkwire.kernel.ids import DialogId
from talkwire.messaging.errors import BadEvent, DialogClosed, MayNotPublish
from talkwire.messaging.model import (
    AcceptStatusEvent,
    Audience,
    ChatStateEvent,
    ContentEvent,
    Event,
    HostedFileEvent,
    RichContentEvent,
)
from talkwire.messaging.rules import (
    ACCEPT_STATUSES,
    CHAT_STATES,
    SECURE_FORMS,
    EventLimits,
    admit_event,
    read_up_to,
)

MAIN = Dialog(DialogId("d"), DialogType.MAIN, 0, 0)
CLOSED = msgspec.structs.replace(MAIN, state=State.CLOSE)
SURVEY = Dialog(DialogId("s"), DialogType.POST_SURVEY, 0, 0)
HELLO = ContentEvent(message="hello")
LIMITS = EventLimits(text_bytes=10)


def admit(event: Event, role: str = Role.CONSUMER, dialog: Dialog = MAIN, audience: str = "ALL") -> None:
    admit_event(dialog, role, event, audience, LIMITS)


GOOD: list[Event] = [
    HELLO,
    ContentEvent(message=""),
    ContentEvent(content_type="hosted/file", message={"relativePath": "x"}),
    HostedFileEvent(message={}),
    RichContentEvent(content={}),
    *(ContentEvent(content_type=form, message={}) for form in sorted(SECURE_FORMS)),
    *(AcceptStatusEvent(status, [0]) for status in sorted(ACCEPT_STATUSES)),
    *(ChatStateEvent(state) for state in sorted(CHAT_STATES)),
]
BAD: list[Event] = [
    ContentEvent(message=None),
    ContentEvent(message={"text": "hello"}),
    ContentEvent(content_type="text/html", message="x"),
    ContentEvent(content_type="hosted/file", message="x"),
    ContentEvent(content_type="forms/secure-invitation", message=None),
    HostedFileEvent(),
    RichContentEvent(),
    RichContentEvent(content=[]),
    RichContentEvent(content="x"),
    AcceptStatusEvent("read", [0]),
    AcceptStatusEvent("READ", list(range(5_001))),
    ChatStateEvent(""),
]


@pytest.mark.parametrize("event", GOOD, ids=repr)
def test_a_participant_may_publish_what_the_page_names(event: Event) -> None:
    admit(event)


@pytest.mark.parametrize("event", BAD, ids=repr)
def test_what_the_page_does_not_name_is_refused(event: Event) -> None:
    with pytest.raises(BadEvent):
        admit(event)


@pytest.mark.parametrize("text", ["0123456789", "äöü€", "x" * 10, "🙂🙂"])
def test_a_text_may_be_as_long_as_the_limit_in_bytes(text: str) -> None:
    assert len(text.encode()) <= 10
    admit(ContentEvent(message=text))


@pytest.mark.parametrize("text", ["0123456789x", "äöü€ü", "🙂🙂🙂"])
def test_a_text_one_byte_over_the_limit_is_refused(text: str) -> None:
    with pytest.raises(BadEvent):
        admit(ContentEvent(message=text))


@pytest.mark.parametrize("event", GOOD, ids=repr)
def test_a_closed_dialog_takes_receipts_and_nothing_else(event: Event) -> None:
    if isinstance(event, AcceptStatusEvent):
        admit(event, dialog=CLOSED)
    else:
        with pytest.raises(DialogClosed):
            admit(event, dialog=CLOSED)


def test_a_survey_takes_everything_but_chat_states() -> None:
    admit(HELLO, dialog=SURVEY)
    with pytest.raises(BadEvent):
        admit(ChatStateEvent("ACTIVE"), dialog=SURVEY)


@pytest.mark.parametrize("role", Role)
def test_only_readers_are_silent(role: Role) -> None:
    if role is Role.READER:
        with pytest.raises(MayNotPublish):
            admit(HELLO, role)
    else:
        admit(HELLO, role)


@pytest.mark.parametrize("role", [Role.ASSIGNED_AGENT, Role.MANAGER, Role.CONTROLLER, Role.AGENT])
def test_agents_may_speak_privately(role: Role) -> None:
    admit(HELLO, role, audience=Audience.AGENTS_AND_MANAGERS)


def test_consumers_may_not_speak_privately() -> None:
    with pytest.raises(MayNotPublish):
        admit(HELLO, audience=Audience.AGENTS_AND_MANAGERS)


@pytest.mark.parametrize("audience", ["", "all", "EVERYBODY"])
def test_there_are_two_audiences(audience: str) -> None:
    with pytest.raises(BadEvent):
        admit(HELLO, Role.MANAGER, audience=audience)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (AcceptStatusEvent("READ", [0, 3, 2]), 3),
        (AcceptStatusEvent("READ", 2), 2),
        (AcceptStatusEvent("READ", [4, 99]), None),
        (AcceptStatusEvent("READ", [-1, 1]), 1),
        (AcceptStatusEvent("READ", []), None),
        (AcceptStatusEvent("ACCEPT", [1]), None),
        (HELLO, None),
    ],
)
def test_a_read_counts_up_to_the_highest_sequence_that_exists(event: Event, expected: int | None) -> None:
    assert read_up_to(event, last_sequence=3) == expected
