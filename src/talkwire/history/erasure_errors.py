"""How erasure says no."""

from talkwire.kernel.errors import Conflict, Invalid, NotFound, TooMany


class ErasureNotUnderstood(Invalid):
    """Not exactly one list of 1 to 100 ids, or a filter that says nothing."""


class ErasureUnknown(NotFound):
    """No such request in this account."""


class ErasureFinal(Conflict):
    """The time to cancel it is over, or it was cancelled before."""


class TooManyErasures(TooMany):
    """More requests in this calendar month than are taken."""


class ReceiptUnknown(NotFound):
    """No receipt: no such request, or it is not done yet."""


class NotYetVerified(Exception):
    """Read back, something is still there. The job tries again; no receipt is signed."""
