"""An event with its row in the log: on its way in, and as it is told afterwards."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from talkwire.backends.database.port import Append, Outcome, Row
from talkwire.conversations.model import Conversation
from talkwire.conversations.views import View
from talkwire.identity.model import Principal
from talkwire.messaging.model import Audience, Event, EventKind

if TYPE_CHECKING:
    from talkwire.messaging.lanes import Lane


_ALL, _PENDING = Audience.ALL.value, Outcome.PENDING


class LoggedEvent(Append):
    """Adds to the row what publishing and telling need. Satisfies `model.ToldEvent`.

    `event` is the JSON as stored; `told_event` differs from it only for files, whose preview is joined in.
    `frame_v2` and `frame_v3` keep the encoded frame, so that it is made once for all who hear it.
    """

    __slots__ = (
        "frame_v2", "frame_v3", "lane", "originator_old_id", "payload", "refusal", "reply", "told_event", "tries",
        "who",
    )  # fmt: skip

    originator_old_id: str
    told_event: bytes
    frame_v2: bytes | None
    frame_v3: bytes | None
    who: Principal | None
    payload: Event | None
    reply: "Callable[[LoggedEvent], None] | None"
    tries: int
    lane: "Lane | None"
    refusal: BaseException | None  # why it was not published: a TalkwireError, or a fault of ours

    def as_told(self, old_id: str, told_event: bytes | None = None) -> "LoggedEvent":
        """Set what telling needs on an event that nobody publishes any more."""
        self.originator_old_id = old_id
        self.told_event = self.event if told_event is None else told_event
        self.frame_v2 = self.frame_v3 = self.refusal = None
        self.tries = 0
        self.forget_publishing()
        return self

    def forget_publishing(self) -> None:
        """Drop what only publishing needed, so that a kept event is small."""
        self.who = self.payload = self.reply = self.lane = self.also = None


def entry_of(  # noqa: PLR0913 -- the columns of an event that are not constant; called for every publish
    who: Principal,
    view: View,
    dialog_id: str,
    event_id: str,
    kind: str,
    payload: Event,
    encoded: bytes,
    role: str,
    at_ms: int,
    *,
    is_content: bool,
    settled: Callable[[Append], None],
) -> LoggedEvent:
    """A fresh entry for the log. Sets members directly: half the cost of the constructor with all its names."""
    conversation = view.conversation
    entry = LoggedEvent.__new__(LoggedEvent)
    entry.account_id = who.account_id
    entry.conversation_id = conversation.conversation_id
    entry.dialog_id = dialog_id
    entry.version = conversation.version
    entry.event_id = event_id
    entry.kind = kind
    entry.event = entry.told_event = encoded
    entry.originator_id = who.id
    entry.originator_old_id = who.old_id or who.id
    entry.originator_role = role
    entry.audience = _ALL
    entry.at_ms = at_ms
    entry.settled = settled
    entry.is_content = is_content
    entry.metadata = entry.client_properties = entry.fingerprint = None
    entry.idempotency_key = entry.read_up_to = entry.token = None
    entry.sequence = -1
    entry.outcome = _PENDING
    entry.frame_v2 = entry.frame_v3 = None
    entry.who = who
    entry.payload = payload
    entry.reply = entry.lane = entry.refusal = entry.also = entry.error = None
    entry.tries = 0
    return entry


def _settled_already(_entry: Append) -> None:
    """Rows read from the log are settled; nobody calls this."""


def of_row(row: Row, told_event: bytes | None = None) -> LoggedEvent:
    """The event of a row of `events`. The originator's old id is set by who knows it."""
    event = LoggedEvent(
        account_id=row["account_id"],
        conversation_id=row["conversation_id"],
        dialog_id=row["dialog_id"],
        version=0,
        event_id=row["event_id"],
        kind=row["kind"],
        event=bytes(row["event"]),
        originator_id=row["originator_id"],
        originator_role=row["originator_role"],
        audience=row["audience"],
        at_ms=row["at"],
        settled=_settled_already,
        is_content=False,
        metadata=_bytes(row["metadata"]),
        client_properties=_bytes(row["client_properties"]),
        read_up_to=row["read_up_to"],
    )
    event.sequence = row["sequence"]
    return event.as_told(event.originator_id, told_event)


def _bytes(value: object) -> bytes | None:
    return None if value is None else bytes(value)  # type: ignore[call-overload]


def implied(
    who: Principal, conversation: Conversation, dialog_id: str, role: str, chat_state: str, at_ms: int
) -> LoggedEvent:  # fmt: skip
    """A chat state that the server says for a participant. `chat_state` is one of ours."""
    event = LoggedEvent(
        account_id=who.account_id,
        conversation_id=conversation.conversation_id,
        dialog_id=dialog_id,
        version=conversation.version,
        event_id="",
        kind=EventKind.CHAT,
        event=b'{"type":"ChatStateEvent","chatState":"%b"}' % chat_state.encode(),
        originator_id=who.id,
        originator_role=role,
        audience=Audience.ALL,
        at_ms=at_ms,
        settled=_settled_already,
        is_content=False,
    )
    return event.as_told(who.old_id or who.id)
