"""The bounded in-memory views on which requests are judged, and what the log tells about each dialog.

Views live on the event loop's thread only. They change after COMMIT, in queue order, never before;
every append carries the version it was judged on, so a stale view costs a second look, not a wrong answer.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from talkwire.conversations.model import Conversation, Dialog, ParticipantState, Role, State
from talkwire.kernel.ids import AccountId, ConversationId, DialogId

_READER = Role.READER.value

MOST_LOOKED_AT = 64
"""Views looked at to find one to let go: no load takes longer than that."""

RECENT_CONTENTS = 200
"""How far back unread counters count; beyond it they stop growing."""


Content = tuple[int, str, bool]
"""A content event as unread counters need it: sequence, originator, whether it is private."""


class DialogLog:
    """Where the log of one dialog stands."""

    __slots__ = (
        "last_content",
        "last_content_sequence",
        "last_event_at_ms",
        "last_public_content",
        "last_sequence",
        "owed_since_ms",
        "read_up_to",
        "recent",
    )

    def __init__(self, last_sequence: int = -1, last_event_at_ms: int = 0, owed_since_ms: int = 0) -> None:
        self.last_sequence = last_sequence
        self.last_event_at_ms = last_event_at_ms
        self.last_content_sequence = -1
        self.owed_since_ms = owed_since_ms  # 0: no answer is owed
        self.recent: deque[Content] = deque(maxlen=RECENT_CONTENTS)
        self.read_up_to: dict[str, int] = {}
        self.last_content: Any = None  # the newest content event as messaging keeps it (LoggedEvent)
        self.last_public_content: Any = None  # the newest one with audience ALL

    def unread(self, participant_id: str, *, sees_private: bool) -> int:
        """Content of others after the participant's last READ. Source: docs/protocol.md, Appendix A6."""
        seen = self.read_up_to.get(participant_id, -1)
        return sum(
            1
            for sequence, originator_id, is_private in self.recent
            if sequence > seen and originator_id != participant_id and (sees_private or not is_private)
        )


class View:
    """One conversation as it stands after the last commit we saw.

    `roles` (participant to role, plain text) and `dialogs` are looked up with every publish, so they are
    made once per version.
    """

    __slots__ = ("conversation", "dialogs", "logs", "looked_at_ms", "roles")

    conversation: Conversation
    dialogs: dict[str, Dialog]
    roles: dict[str, str]

    def __init__(self, conversation: Conversation, logs: dict[DialogId, DialogLog]) -> None:
        self.logs = logs  # one per dialog of the conversation
        self.looked_at_ms = 0  # its last update, when it was last considered for being let go
        self.show(conversation)

    def show(self, conversation: Conversation) -> None:
        """Stand for this version from now on."""
        self.conversation = conversation
        self.dialogs = {dialog.dialog_id: dialog for dialog in conversation.dialogs}
        self.roles = {}
        for participant in conversation.participants:
            is_heard = self.roles.get(participant.id, _READER) != _READER  # a reader who is more may speak
            if participant.state is ParticipantState.ACTIVE and not is_heard:
                self.roles[participant.id] = participant.role.value

    @property
    def effective_ttr_ms(self) -> int:
        """Moment by which the brand should answer; -1 when no answer is owed, as once the main dialog is closed."""
        conversation = self.conversation
        owed = self.logs[conversation.main.dialog_id].owed_since_ms
        if conversation.state is not State.OPEN or not owed:
            return -1
        if conversation.manual_ettr_ms is not None:
            return conversation.manual_ettr_ms
        return owed + conversation.ttr.seconds * 1000

    @property
    def last_update_ms(self) -> int:
        """When anything last happened: a change of the record, or an event."""
        return max(self.conversation.updated_at_ms, *(log.last_event_at_ms for log in self.logs.values()))


def _nobody(account_id: str, dialog_id: str) -> bool:
    return False


class Views:
    """The newest-used views, by conversation and by dialog.

    `is_written` is messaging's word on whether a publish to a dialog is under way; such a view stays, for it
    says whom to tell of it.
    """

    def __init__(self, limit: int = 20_000) -> None:
        self.is_written: Callable[[str, str], bool] = _nobody
        self._limit = limit
        self._views: OrderedDict[tuple[AccountId, ConversationId], View] = OrderedDict()
        self._by_dialog: dict[tuple[str, str], View] = {}
        self._loading: dict[tuple[str, str], list[set[str]]] = {}

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[View]:
        return iter(self._views.values())

    def find(self, account_id: AccountId, conversation_id: ConversationId) -> View | None:
        view = self._views.get((account_id, conversation_id))
        if view is not None:
            self._views.move_to_end((account_id, conversation_id))
        return view

    def find_by_dialog(self, account_id: str, dialog_id: str) -> View | None:
        """The view that holds this dialog, if it is in memory. The hot path's only look-up."""
        return self._by_dialog.get((account_id, dialog_id))

    def keep(self, view: View) -> View:
        """Hold a loaded view; when one of the same or a newer version is held already, that one stays."""
        conversation = view.conversation
        key = (conversation.account_id, conversation.conversation_id)
        held = self._views.get(key)
        if held is not None and held.conversation.version >= conversation.version:
            return held
        self._put(key, view)
        return view

    def replace(self, conversation: Conversation) -> View | None:
        """Put the committed record into the held view; None when it is not held or not newer."""
        key = (conversation.account_id, conversation.conversation_id)
        view = self._views.get(key)
        if view is None:
            self.touched(*key)
            return None
        if view.conversation.version >= conversation.version:
            return None
        view.show(conversation)
        for dialog in conversation.dialogs:
            view.logs.setdefault(dialog.dialog_id, DialogLog())
            self._by_dialog[key[0], dialog.dialog_id] = view
        return view

    @contextmanager
    def loading(
        self, account_id: AccountId, conversation_ids: Iterable[ConversationId]
    ) -> Iterator[set[str]]:
        """While these are read from the database: yields the set of those that change meanwhile.

        What is in the set at the end was read too early and must be read again, not kept.
        """
        touched: set[str] = set()
        keys = [(account_id, conversation_id) for conversation_id in conversation_ids]
        for key in keys:
            self._loading.setdefault(key, []).append(touched)
        try:
            yield touched
        finally:
            for key in keys:
                marks = self._loading[key]
                marks[:] = [mark for mark in marks if mark is not touched]
                if not marks:
                    del self._loading[key]

    def touched(self, account_id: str, conversation_id: str) -> None:
        """A commit went by for a conversation whose view is not held: whoever is loading it starts again."""
        for mark in self._loading.get((account_id, conversation_id), ()):
            mark.add(conversation_id)

    def forget(self, account_id: AccountId, conversation_id: ConversationId) -> None:
        """Drop a view, so that the next look reads the database."""
        view = self._views.pop((account_id, conversation_id), None)
        if view is not None:
            for dialog_id in view.logs:
                self._by_dialog.pop((account_id, dialog_id), None)

    def _put(self, key: tuple[AccountId, ConversationId], view: View) -> None:
        self.forget(*key)
        self._views[key] = view
        for dialog_id in view.logs:
            self._by_dialog[key[0], dialog_id] = view
        view.looked_at_ms = view.last_update_ms
        self._let_go(len(self._views) - self._limit)

    def _let_go(self, too_many: int) -> None:
        """Drop the views unused for longest; the hot path does not say what it uses, but its events show."""
        for _ in range(MOST_LOOKED_AT):
            if too_many <= 0:
                return
            key, view = next(iter(self._views.items()))
            updated_ms = view.last_update_ms
            if updated_ms > view.looked_at_ms or any(self.is_written(key[0], i) for i in view.dialogs):
                view.looked_at_ms = updated_ms
                self._views.move_to_end(key)
            else:
                self.forget(*key)
                too_many -= 1
