"""How messaging says no."""

from talkwire.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Unavailable


class DialogNotFound(NotFound):
    """No such dialog, or none that this one may know of."""


class DialogClosed(Invalid):
    """The dialog takes no more of this."""


class NotAParticipant(NotAllowed):
    """May see the conversation, but does not take part in it."""


class MayNotPublish(NotAllowed):
    """Takes part, but not with this event or audience."""


class BadEvent(Invalid):
    """An event without its members, over its limit, or of an unknown status."""


class IdempotencyKeyReused(Invalid):
    """The same idempotency key came with another request."""


class ChangedTooOften(Conflict):
    """The conversation changed under the publish three times; try again."""


class NotStored(Unavailable):
    """The log could not take the event.

    When an fsync failed, a crash may leave it there all the same: sent again with its idempotency key it is
    there once.
    """


class SubscriptionNotFound(NotFound):
    """No subscription of this id on this socket."""


class AutomaticMessageInvalid(Invalid):
    """An automatic message was asked to be what it cannot."""
