"""Publishing: judged on the view, appended to the log, told to who listens. The hot path.

Source: docs/architecture.md, "The life of an event".
"""

import os
from collections.abc import Callable
from itertools import count

import msgspec

from talkwire.backends.database.port import Append, Database, Outcome
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import View
from talkwire.conversations.visibility import may_see
from talkwire.identity.model import Principal
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import AccountId, ConversationId
from talkwire.kernel.tasks import Tasks
from talkwire.messaging import store
from talkwire.messaging.errors import (
    ChangedTooOften,
    DialogNotFound,
    IdempotencyKeyReused,
    NotAParticipant,
    NotStored,
)
from talkwire.messaging.lanes import Lane, Lanes
from talkwire.messaging.logged import LoggedEvent, entry_of
from talkwire.messaging.model import (
    AcceptStatusEvent,
    Audience,
    ChatStateEvent,
    ContentEvent,
    Event,
    EventKind,
    RichContentEvent,
)
from talkwire.messaging.presence import Presence
from talkwire.messaging.rules import EventLimits, admit_event, read_up_to
from talkwire.messaging.telling import Telling

MAX_TRIES = 3
ACCEPT, CHAT, FILE = EventKind.ACCEPT.value, EventKind.CHAT.value, EventKind.FILE.value
KINDS: dict[type, str] = {
    ContentEvent: EventKind.CONTENT.value,
    RichContentEvent: EventKind.RICH.value,
    AcceptStatusEvent: ACCEPT,
    ChatStateEvent: CHAT,
}
_NO_CONTENT = frozenset({ACCEPT, CHAT})
_APPENDED = Outcome.APPENDED
_encode = msgspec.json.Encoder().encode

Reply = Callable[[LoggedEvent], None]
"""Hears once how a publish went, before anybody else hears of the event: `refusal` is set, or `sequence` is (-1
for chat states: they take none)."""


class Extras(msgspec.Struct, frozen=True):
    """What may come with a publish besides the event. `metadata` and `client_properties` are JSON."""

    audience: str = Audience.ALL.value
    metadata: bytes | None = None
    client_properties: bytes | None = None
    idempotency_key: str | None = None
    fingerprint: bytes | None = None


NO_EXTRAS = Extras()


class Publishing:
    """Takes publishes in order and answers them once they are on disk."""

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        telling: Telling,
        presence: Presence,
        clock: Clock,
        tasks: Tasks,
        limits: EventLimits,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._telling = telling
        self._presence = presence
        self._clock = clock
        self._tasks = tasks
        self._limits = limits
        self._lanes = Lanes()
        conversations.views.is_written = self._lanes.is_open
        self._id_prefix = os.urandom(10).hex()
        self._ids = count()

    def find_view(self, account_id: str, dialog_id: str) -> View | None:
        """The view to judge on, if it is in memory."""
        return self._conversations.views.find_by_dialog(account_id, dialog_id)

    async def get_view(self, who: Principal, dialog_id: str) -> View:
        """The view to judge on, read if need be. Raises DialogNotFound."""
        try:
            return await self._conversations.view_of_dialog(who.account_id, dialog_id)
        except TalkwireError as error:
            if error.kind.value == "not found":
                raise DialogNotFound("No such dialog") from None
            raise

    def submit(
        self,
        who: Principal,
        view: View,
        dialog_id: str,
        event: Event,
        reply: Reply,
        extras: Extras = NO_EXTRAS,
    ) -> None:
        """Judge a publish and put it into the log's queue; `reply` is called when it is durable.

        Chat states are told at once and replied to with sequence 0.
        Raises DialogNotFound, NotAParticipant, DialogClosed, MayNotPublish, BadEvent.
        """
        kind = KINDS[type(event)]
        entry = self.judge(who, view, dialog_id, event, extras, kind)
        if kind == CHAT:
            self._presence.tell(who, entry, event.chat_state, view)  # type: ignore[union-attr]
            reply(entry)
            return
        self.enter(entry, reply)

    def enter(self, entry: LoggedEvent, reply: Reply) -> None:
        """Put what was judged into the log's queue, behind whatever of its dialog is judged again."""
        entry.reply = reply
        lane = entry.lane = self._lanes.lane_of(entry.account_id, entry.dialog_id, entry.version)
        if lane.must_wait(entry.version):
            lane.held.append(entry)
            return
        lane.in_flight += 1
        self._database.append(entry)

    def judge(
        self, who: Principal, view: View, dialog_id: str, event: Event, extras: Extras, kind: str
    ) -> LoggedEvent:
        """The entry for the log, if this one may publish this here. Raises as `submit`."""
        role = self._admit(who, view, dialog_id, event, extras.audience)
        entry = entry_of(
            who,
            view,
            dialog_id,
            f"{self._id_prefix}{next(self._ids):x}",
            kind,
            event,
            _encode(event),
            role,
            self._clock.now_ms(),
            is_content=kind not in _NO_CONTENT,
            settled=self._settled,
        )
        if extras is not NO_EXTRAS:
            entry.audience = extras.audience
            entry.metadata = extras.metadata
            entry.client_properties = extras.client_properties
            entry.idempotency_key = extras.idempotency_key
            entry.fingerprint = extras.fingerprint
        if kind == ACCEPT:
            entry.read_up_to = read_up_to(event, view.logs[dialog_id].last_sequence)  # type: ignore[index]
        return entry

    async def find_first(self, who: Principal, extras: Extras) -> int | None:
        """The sequence of a publish that was taken before: it was done, even if it could not be done now."""
        if extras.idempotency_key is None or extras.fingerprint is None:
            return None
        return await store.find_first(
            self._database, who.account_id, who.id, extras.idempotency_key, extras.fingerprint
        )

    def _admit(self, who: Principal, view: View, dialog_id: str, event: Event, audience: str) -> str:
        """The role under which this one publishes. Raises as `submit`."""
        role = view.roles.get(who.id)
        if role is None:
            if may_see(who, view.conversation):
                raise NotAParticipant("Not a participant of this conversation")
            raise DialogNotFound("No such dialog")
        dialog = view.dialogs.get(dialog_id)
        if dialog is None:
            raise DialogNotFound("No such dialog")
        admit_event(dialog, role, event, audience, self._limits)
        return role

    def _settled(self, append: Append) -> None:
        entry: LoggedEvent = append  # type: ignore[assignment]
        lane: Lane = entry.lane  # type: ignore[assignment]
        lane.in_flight -= 1
        outcome = entry.outcome
        try:
            if outcome is _APPENDED:
                reply = entry.reply
                if reply is not None:
                    reply(entry)
                self._telling.tell(entry)
            elif outcome is Outcome.STALE and entry.tries < MAX_TRIES:
                entry.tries += 1
                lane.stale.append(entry)
            else:
                self._refuse(entry, entry.error if outcome is Outcome.REFUSED else _REFUSALS.get(outcome))
        finally:  # whatever one listener's fault: what waits in this lane goes on
            if not lane.in_flight:
                self._continue(entry, lane)

    def _refuse(self, entry: LoggedEvent, refusal: BaseException | None) -> None:
        """Reply without telling anybody: refused, or a repeat that was told long ago."""
        entry.refusal = refusal
        if entry.reply is not None:
            entry.reply(entry)

    def _continue(self, entry: LoggedEvent, lane: Lane) -> None:
        """Nothing of this lane is in flight any more: judge again what waits, in order."""
        if lane.stale or lane.held:
            view = self.find_view(entry.account_id, entry.dialog_id)
            if view is None or (lane.stale and view.conversation.version <= lane.version):
                self._tasks.start(self._continue_on_fresh_view(entry, lane), "publishing: fresh view")
                return
            self._judge_again(lane, view)
        self._lanes.drop_if_idle(entry.account_id, entry.dialog_id, lane)

    async def _continue_on_fresh_view(self, entry: LoggedEvent, lane: Lane) -> None:
        """Another node changed the conversation, or the view was dropped: read it, then go on."""
        refusal: TalkwireError = _REFUSALS[Outcome.UNAVAILABLE]
        try:
            self._judge_again(lane, await self.renew_view(entry))
        except TalkwireError as error:
            refusal = error
        finally:  # nobody may wait for ever
            for waiting in lane.take_waiting():
                self._refuse(waiting, refusal)
            self._lanes.drop_if_idle(entry.account_id, entry.dialog_id, lane)

    async def renew_view(self, entry: LoggedEvent) -> View:
        """The view as the database has it now, when the one in memory is not newer than the entry's."""
        account_id, conversation_id = AccountId(entry.account_id), ConversationId(entry.conversation_id)
        held = self._conversations.views.find(account_id, conversation_id)
        if held is not None and held.conversation.version > entry.version:
            return held
        self._conversations.views.forget(account_id, conversation_id)
        return await self._conversations.view(account_id, conversation_id)

    def _judge_again(self, lane: Lane, view: View) -> None:
        conversation = view.conversation
        lane.version = conversation.version
        for entry in lane.take_waiting():
            try:
                entry.originator_role = self._admit(
                    entry.who,  # type: ignore[arg-type]
                    view,
                    entry.dialog_id,
                    entry.payload,  # type: ignore[arg-type]
                    entry.audience,
                )
            except TalkwireError as refusal:
                self._refuse(entry, refusal)
                continue
            entry.version = conversation.version
            entry.outcome = Outcome.PENDING
            lane.in_flight += 1
            self._database.append(entry)


_REFUSALS: dict[Outcome, TalkwireError] = {
    Outcome.STALE: ChangedTooOften("The conversation changed meanwhile; try again"),
    Outcome.KEY_REUSED: IdempotencyKeyReused("This idempotency key was used for another request"),
    Outcome.UNAVAILABLE: NotStored("The log cannot be written now; try again"),
}
