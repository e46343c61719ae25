"""One conversation on its way to one endpoint: where its cursor stands, and what is known to come next."""

from collections import deque

from talkwire.connectors.delivery_model import Cursor
from talkwire.messaging.logged import LoggedEvent

MAX_FRESH = 64
"""Events kept as they were heard, so that the log need not be read for them; beyond, it is read."""

HELD_MS = 10_000
"""So long an event in memory stands for what the log says of it; later it may have been erased there."""


class Lane:
    """Order holds within it: one letter at a time."""

    __slots__ = (
        "attempts", "conversation_id", "fresh", "is_done", "is_loaded", "is_running", "is_wanted", "must_look",
        "page", "page_dialog_id", "page_following", "page_since_ms", "positions", "retry_at_ms", "told_version",
    )  # fmt: skip

    def __init__(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self.told_version = 0
        self.positions: dict[str, int] = {}
        self.attempts = 0
        self.retry_at_ms = 0
        self.is_done = False
        self.is_loaded = False  # the cursor was read
        self.is_running = False
        self.is_wanted = False  # the bell rang while it ran
        self.must_look = False  # another node wrote: the log knows more than the view
        self.fresh: deque[LoggedEvent] = deque()
        self.page: deque[LoggedEvent] = deque()  # read from the log
        self.page_dialog_id = ""
        self.page_following = 0  # the sequence behind the page
        self.page_since_ms = 0

    def load(self, cursor: Cursor) -> None:
        self.told_version = cursor.told_version
        self.positions = dict(cursor.positions)
        self.attempts = cursor.attempts
        self.retry_at_ms = cursor.retry_at_ms
        self.is_done = cursor.is_done
        self.is_loaded = True

    @property
    def cursor(self) -> Cursor:
        """As it is put on disk."""
        return Cursor(
            conversation_id=self.conversation_id,
            told_version=self.told_version,
            positions=dict(self.positions),
            attempts=self.attempts,
            retry_at_ms=self.retry_at_ms,
            is_done=self.is_done,
        )

    def hear(self, event: LoggedEvent) -> None:
        """Keep what was just committed; when too much waits the log will be read instead."""
        if len(self.fresh) >= MAX_FRESH:
            self.fresh.clear()
        self.fresh.append(event)

    def forget_old(self, now_ms: int) -> None:
        """Let go of events that were held too long to be believed. Called before anything is read."""
        while self.fresh and now_ms - self.fresh[0].at_ms > HELD_MS:
            self.fresh.popleft()
        if self.page and now_ms - self.page_since_ms > HELD_MS:
            self.page.clear()
            self.page_dialog_id = ""
        if not self.page:
            self.page_since_ms = now_ms

    def take_fresh(self, dialog_id: str) -> LoggedEvent | None:
        """The event at the cursor, if it was heard."""
        position = self.positions.get(dialog_id, 0)
        while self.fresh and self.fresh[0].dialog_id == dialog_id and self.fresh[0].sequence < position:
            self.fresh.popleft()
        if self.fresh and self.fresh[0].dialog_id == dialog_id and self.fresh[0].sequence == position:
            return self.fresh[0]
        return None

    def advance(self, dialog_id: str, following: int) -> None:
        """Everything before this sequence is told, or need not be."""
        self.positions[dialog_id] = max(following, self.positions.get(dialog_id, 0))
