"""After the commit: the view learns of the event, then everybody who listens is told."""

from talkwire.conversations.model import Role
from talkwire.conversations.service import Conversations
from talkwire.conversations.views import DialogLog, View
from talkwire.messaging.feeds import Feeds
from talkwire.messaging.hub import Hub
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import Audience
from talkwire.messaging.presence import Presence

_CONSUMER, _CONTROLLER, _ALL = Role.CONSUMER.value, Role.CONTROLLER.value, Audience.ALL.value


class Telling:
    """Runs on the event loop, in the order of the commits."""

    def __init__(self, conversations: Conversations, hub: Hub, feeds: Feeds, presence: Presence) -> None:
        self._conversations = conversations
        self._hub = hub
        self._feeds = feeds
        self._presence = presence

    def tell(self, event: LoggedEvent, judged_on: View | None = None) -> None:
        """Move the view on by a committed event and tell who listens.

        `judged_on` says whom to tell when the view was let go meanwhile: it was right when this was committed.
        """
        event.forget_publishing()
        views = self._conversations.views
        view = views.find_by_dialog(event.account_id, event.dialog_id)
        if view is None:
            views.touched(event.account_id, event.conversation_id)
            self._hub.tell(event, judged_on)
            return
        log = view.logs[event.dialog_id]  # type: ignore[index]
        if event.sequence > log.last_sequence:  # a view that was just read may know it already
            note(log, event)
        self._hub.tell(event, view)
        if event.is_content:
            self._presence.stop_composing(event)
            self._feeds.touch(view)
        elif event.read_up_to is not None:
            self._feeds.touch(view)


def note(log: DialogLog, event: LoggedEvent) -> None:
    """What the log tells after this event. The same arithmetic as the append's, for the view."""
    log.last_sequence = event.sequence
    log.last_event_at_ms = event.at_ms
    if event.is_content:
        log.last_content_sequence = event.sequence
        is_private = event.audience != _ALL
        log.recent.append((event.sequence, event.originator_id, is_private))
        log.last_content = event
        if not is_private:
            log.last_public_content = event
        if event.originator_role == _CONSUMER:
            log.owed_since_ms = log.owed_since_ms or event.at_ms
        elif not is_private and event.originator_role != _CONTROLLER:  # a real answer
            log.owed_since_ms = 0
    elif event.read_up_to is not None:
        seen = log.read_up_to.get(event.originator_id, -1)
        log.read_up_to[event.originator_id] = max(seen, event.read_up_to)
