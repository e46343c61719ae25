"""How the wire says no before any room is asked."""

from talkwire.kernel.errors import Invalid, NotAllowed, NotFound, TooMany, Unauthenticated


class BadFrame(Invalid):
    """Not JSON, not an object, not UTF-8, nested too deep, or members of the wrong kind."""

    def __init__(self, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.request_id = request_id


class UnknownRequest(NotFound):
    """No such request type. Answered, never punished with a closed socket."""


class NotForThisRole(NotAllowed):
    """The request exists, but not for this kind of socket."""


class NotConnectedYet(Unauthenticated):
    """A request before InitConnection."""


class BadToken(Unauthenticated):
    """What came as a token cannot be one. Answered as any bad token: 401, and the socket ends."""


class TooManyRequests(TooMany):
    """More requests than one socket may send."""
