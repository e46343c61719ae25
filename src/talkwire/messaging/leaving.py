"""Who may not see a conversation any more is told nothing more of it.

Source: docs/protocol.md 5.7, Appendix A5.
"""

from talkwire.conversations.model import Conversation
from talkwire.conversations.service import Conversations
from talkwire.messaging.hub import Hub


class Leaving:
    """Looks again at who follows a dialog whenever its conversation or an offer of it changed."""

    def __init__(self, hub: Hub, conversations: Conversations) -> None:
        self._hub = hub
        self._conversations = conversations

    def changed(self, conversation: Conversation) -> None:
        """For `Conversations.on_change`."""
        for dialog in conversation.dialogs:
            for listener in self._hub.followers(conversation.account_id, dialog.dialog_id):
                if not self._conversations.may_see(listener.who, conversation):
                    listener.dismissed()

    def offer_changed(self, account_id: str, conversation_id: str) -> None:
        """An agent was rung, or is not any more."""
        view = self._conversations.views.find(account_id, conversation_id)  # type: ignore[arg-type]
        if view is not None:
            self.changed(view.conversation)
