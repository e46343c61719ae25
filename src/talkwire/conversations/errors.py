"""How conversations say no."""

from talkwire.kernel.errors import Invalid, NotAllowed, NotFound


class ConversationNotFound(NotFound):
    """There is none, or who asks may not know of it: both look alike."""

    def __init__(self) -> None:
        super().__init__("Conversation not found")


class DialogNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Dialog not found in conversation")


class ConsumerNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Consumer not found")


class ConversationClosed(Invalid):
    """Nothing but the consumer's rating changes any more."""

    def __init__(self) -> None:
        super().__init__("Conversation is already closed")


class DialogClosed(Invalid):
    def __init__(self) -> None:
        super().__init__("Dialog is already closed")


class StillOpen(Invalid):
    """Only a closed conversation can be resumed."""

    def __init__(self) -> None:
        super().__init__("The conversation to resume is still open")


class ParticipantAbsent(Invalid):
    def __init__(self) -> None:
        super().__init__("Agent does not exist in conversation")


class AgentAlreadyAssigned(Invalid):
    def __init__(self) -> None:
        super().__init__("Conversation is already assigned to another agent")


class FieldInvalid(Invalid):
    """A field of the conversation was asked to hold what it cannot."""


class KeyReused(Invalid):
    """The same idempotency key came with another body."""

    def __init__(self) -> None:
        super().__init__("Idempotency key was used for another request")


class MayNotChange(NotAllowed):
    def __init__(self, what: str) -> None:
        super().__init__(f"Not allowed: {what}")
        self.what = what
