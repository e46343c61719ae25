"""How accounts say no."""

from talkwire.kernel.errors import Conflict, Invalid, NotFound, PreconditionFailed, Unauthenticated


class AccountUnknown(Unauthenticated):
    """No such brand. Source: docs/protocol.md 2 answers it as 401."""

    def __init__(self) -> None:
        super().__init__("Unknown account")


class AccountExists(Conflict):
    pass


class AccountIdNotAllowed(Invalid):
    pass


class PropertyNotAllowed(Invalid):
    pass


class PropertyNeverSet(NotFound):
    pass


class RevisionStale(PreconditionFailed):
    """Somebody else wrote first; read again and decide anew."""

    def __init__(self, current: int) -> None:
        super().__init__(f"Revision does not match; it is {current} now")
        self.current = current


class HostNotAllowed(Invalid):
    pass


class ServiceUnknown(NotFound):
    pass
