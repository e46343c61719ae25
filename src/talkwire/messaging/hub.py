"""Who listens on this node, and telling them. The log is the truth; this only saves them a look."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from talkwire.conversations.views import View
from talkwire.identity.model import Principal
from talkwire.messaging.logged import LoggedEvent
from talkwire.messaging.model import Audience


class Listener(Protocol):
    """Somebody who is told events as they are committed, in order. Must return at once."""

    @property
    def who(self) -> Principal: ...

    def hear(self, event: LoggedEvent) -> None: ...


class Follower(Listener, Protocol):
    """A listener of one dialog."""

    def dismissed(self) -> None:
        """It may not hear this dialog any more."""
        ...


_ALL = Audience.ALL.value
AppListener = Callable[[LoggedEvent, str], None]
"""Told an event of a conversation that an app opened, and the app's client id. Must return at once."""
L = TypeVar("L", bound=Listener)


class Hub:
    """Listeners by dialog (subscriptions), and by participant (sockets told of all they take part in)."""

    def __init__(self) -> None:
        self._of_dialog: dict[tuple[str, str], list[Follower]] = {}
        self._of_participant: dict[tuple[str, str], list[Listener]] = {}
        self._of_apps: list[AppListener] = []

    def on_app_event(self, listener: AppListener) -> None:
        """Call `listener` for each event, private ones too, of conversations that an app opened."""
        self._of_apps.append(listener)

    def tell(self, event: LoggedEvent, view: View | None) -> None:
        """Tell everybody on this node who may hear it. Private events never reach a consumer.

        Without a view only the dialog's subscribers are told.
        """
        account_id = event.account_id
        is_private = event.audience != _ALL
        for follower in self._of_dialog.get((account_id, event.dialog_id), ()):
            if not (is_private and follower.who.is_consumer):
                follower.hear(event)
        if view is None:
            return
        for participant_id in view.roles:
            for listener in self._of_participant.get((account_id, participant_id), ()):
                if not (is_private and listener.who.is_consumer):
                    listener.hear(event)
        app_id = view.conversation.app_id
        if app_id:
            for told in self._of_apps:
                told(event, app_id)

    def add_to_dialog(self, account_id: str, dialog_id: str, listener: Follower) -> None:
        self._of_dialog.setdefault((account_id, dialog_id), []).append(listener)

    def remove_from_dialog(self, account_id: str, dialog_id: str, listener: Follower) -> None:
        _remove(self._of_dialog, (account_id, dialog_id), listener)

    def followers(self, account_id: str, dialog_id: str) -> tuple[Follower, ...]:
        """Who follows a dialog; the copy may be gone through while they leave."""
        return tuple(self._of_dialog.get((account_id, dialog_id), ()))

    def add_participant(self, listener: Listener) -> None:
        key = (listener.who.account_id, listener.who.id)
        self._of_participant.setdefault(key, []).append(listener)

    def remove_participant(self, listener: Listener) -> None:
        _remove(self._of_participant, (listener.who.account_id, listener.who.id), listener)

    def listens(self, account_id: str, dialog_id: str, participant_id: str) -> bool:
        """Does this participant hear the dialog here: by a subscription, or on a socket that hears all of its own?"""
        return (account_id, participant_id) in self._of_participant or any(
            listener.who.id == participant_id for listener in self._of_dialog.get((account_id, dialog_id), ())
        )


def _remove(listeners: dict[tuple[str, str], list[L]], key: tuple[str, str], listener: L) -> None:
    held = listeners.get(key)
    if held is None:
        return
    listeners[key] = [other for other in held if other is not listener]
    if not listeners[key]:
        del listeners[key]
