"""How connectors say no."""

from talkwire.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany, Unauthenticated


class AppInvalid(Invalid):
    """An installation that cannot be."""


class AppNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("No such app")


class AppChangedMeanwhile(Conflict):
    def __init__(self) -> None:
        super().__init__("Somebody else changed the app meanwhile; read it again")


class AppCredentialsWrong(Unauthenticated):
    """Unknown client id or wrong secret; which of both is not said."""

    def __init__(self) -> None:
        super().__init__("Wrong client_id or client_secret")


class AppOff(NotAllowed):
    """The right secret of an app that is disabled."""

    def __init__(self) -> None:
        super().__init__("The app is disabled")


class ScopeMissing(NotAllowed):
    def __init__(self) -> None:
        super().__init__("The app lacks the scope msg.consumer")


class GrantNotSupported(Invalid):
    def __init__(self) -> None:
        super().__init__("grant_type is client_credentials")


class AppCredentialsMissing(Invalid):
    def __init__(self) -> None:
        super().__init__("client_id and client_secret are missing")


class ExternalIdInvalid(Invalid):
    pass


class AppTokenInvalid(Unauthenticated):
    number = 2

    def __init__(self, message: str = "The AppJWT is expired or invalid") -> None:
        super().__init__(message)


class ConsumerTokenInvalid(Unauthenticated):
    number = 3

    def __init__(self, message: str = "The ConsumerJWS is invalid") -> None:
        super().__init__(message)


class ConsumerTokenMissing(Unauthenticated):
    number = 4

    def __init__(self) -> None:
        super().__init__("X_ON_BEHALF_HEADER is not present")


class AppTokenMissing(Unauthenticated):
    number = 5

    def __init__(self) -> None:
        super().__init__("AUTHORIZATION header is not present")


class AnotherConsumers(Unauthenticated):
    """The conversation belongs to another consumer, or there is none: both look alike."""

    def __init__(self) -> None:
        super().__init__("The conversation is not this consumer's")


class TooManySends(TooMany):
    pass


class DeadLetterNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("No such dead letter")


class EndpointGone(Invalid):
    """The app is told of this no more at this address, so it cannot be replayed."""

    def __init__(self, url: str) -> None:
        super().__init__(f"The app is not told of such events at {url} any more")
