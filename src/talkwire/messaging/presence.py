"""Chat states: told live, ended when their author falls silent, and implied by sockets that come and go.

Source: docs/protocol.md 4.3, 5.6, Appendix A27.
"""

import asyncio
from collections.abc import Iterable

from talkwire.conversations.model import State
from talkwire.conversations.views import View, Views
from talkwire.identity.model import Principal
from talkwire.kernel.clock import Clock
from talkwire.messaging.hub import Hub
from talkwire.messaging.logged import LoggedEvent, implied

COMPOSING = "COMPOSING"
MOST_AWAY = 100_000
"""Dialogs remembered as left; those of whoever left first are forgotten first."""

_Key = tuple[str, str, str]  # account, dialog, participant
_Person = tuple[str, str]  # account, participant


class Presence:
    """Who is typing, and who went away. Kept in memory only: a restart forgets it."""

    def __init__(self, hub: Hub, views: Views, clock: Clock, composing_seconds: float = 30) -> None:
        self._hub = hub
        self._views = views
        self._clock = clock
        self._composing_seconds = composing_seconds
        self._composing: dict[_Key, asyncio.TimerHandle] = {}
        self._away: dict[_Person, set[str]] = {}  # who is told to be gone, and in which dialogs
        self._away_count = 0

    def tell(self, who: Principal, event: LoggedEvent, chat_state: str, view: View) -> None:
        """Tell a chat state; COMPOSING ends by itself."""
        self._hub.tell(event, view)
        self.stop_composing(event)
        if chat_state == COMPOSING:
            key = (event.account_id, event.dialog_id, event.originator_id)
            self._composing[key] = asyncio.get_running_loop().call_later(
                self._composing_seconds, self._fell_silent, key, who
            )

    def stop_composing(self, event: LoggedEvent) -> None:
        """Whoever sends content, or another chat state, is not composing any more."""
        if self._composing:
            timer = self._composing.pop((event.account_id, event.dialog_id, event.originator_id), None)
            if timer is not None:
                timer.cancel()

    def left(self, who: Principal, dialog_ids: Iterable[str], chat_state: str) -> None:
        """A socket of a consumer ended that heard these: BACKGROUND on mobile, GONE on the web.

        Told once, and of no dialog that the consumer still hears on another socket.
        """
        away = self._away.get((who.account_id, who.id), set())
        for dialog_id in dialog_ids:
            if dialog_id in away or self._hub.listens(who.account_id, dialog_id, who.id):
                continue
            if self._imply(who, dialog_id, chat_state):
                away.add(dialog_id)
                self._away_count += 1
        if away:
            self._away[who.account_id, who.id] = away
        while self._away_count > MOST_AWAY:
            self._away_count -= len(self._away.pop(next(iter(self._away))))

    def returned(self, who: Principal, dialog_id: str | None = None) -> None:
        """A consumer hears the dialog again, or without one all that it has left: ACTIVE there."""
        if not self._away:
            return
        person = (who.account_id, who.id)
        away = self._away.get(person, set())
        back = set(away) if dialog_id is None else away & {dialog_id}
        away -= back
        self._away_count -= len(back)
        if not away:
            self._away.pop(person, None)
        for each in back:
            self._imply(who, each, "ACTIVE")

    def close(self) -> None:
        for timer in self._composing.values():
            timer.cancel()
        self._composing.clear()

    def _fell_silent(self, key: _Key, who: Principal) -> None:
        self._composing.pop(key, None)
        self._imply(who, key[1], "PAUSE")

    def _imply(self, who: Principal, dialog_id: str, chat_state: str) -> bool:
        """Tell a chat state that nobody sent; False where there is nobody to tell it of."""
        view = self._views.find_by_dialog(who.account_id, dialog_id)
        if view is None:
            return False
        conversation = view.conversation
        dialog = view.dialogs.get(dialog_id)
        role = view.roles.get(who.id)
        if role is None or dialog is None or dialog.state is not State.OPEN:
            return False
        event = implied(who, conversation, dialog_id, role, chat_state, self._clock.now_ms())
        self._hub.tell(event, view)
        return True
