"""How identity says no. Messages never tell whether it was the name or the secret that was wrong."""

from talkwire.kernel.errors import (
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
)


class CredentialsWrong(Unauthenticated):
    def __init__(self) -> None:
        super().__init__("Wrong user name or password")


class CredentialsIncomplete(Invalid):
    def __init__(self) -> None:
        super().__init__("Send username and password, or appKey, secret, accessToken and accessTokenSecret")


class SamlNotSupported(Invalid):
    def __init__(self) -> None:
        super().__init__(
            "SAML assertions are not accepted here; sign in with a password or an application key"
        )


class SessionEnded(Unauthenticated):
    """The bearer is unknown, was signed out, or was idle too long."""

    def __init__(self) -> None:
        super().__init__("The session has ended or never was; sign in again")


class CsrfWrong(Unauthenticated):
    def __init__(self) -> None:
        super().__init__("CSRF token invalid or the session has ended")


class TokenNotAccepted(Unauthenticated):
    """A JWT that is not ours, not for this account, altered or expired."""

    def __init__(self, message: str = "The token is not valid for this account") -> None:
        super().__init__(message)


class AuthCodeNotAccepted(Unauthenticated):
    def __init__(self, message: str = "The authentication code was not accepted") -> None:
        super().__init__(message)


class AdministratorsOnly(NotAllowed):
    def __init__(self) -> None:
        super().__init__("Only an administrator may do this")


class TooManyAttempts(TooMany):
    pass


class AgentUnknown(NotFound):
    def __init__(self) -> None:
        super().__init__("No such user")


class LoginNameTaken(Conflict):
    pass


class AgentNotAllowed(Invalid):
    """A login name, password or profile that cannot be."""


class BrandKeyNotAllowed(Invalid):
    pass


class BrandKeyUnknown(NotFound):
    pass


class ApiKeyUnknown(NotFound):
    pass


class ConsumerProfileNotAllowed(Invalid):
    pass


class ConsumerProfileTooLarge(TooLarge):
    pass
