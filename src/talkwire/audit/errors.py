"""How the audit trail says no."""

from talkwire.kernel.errors import Unavailable


class TrailBehind(Unavailable):
    """More waits to be recorded than we hold: what cannot be recorded is not done."""

    def __init__(self) -> None:
        super().__init__("The audit trail is behind; try again")


class HeadMissing(Unavailable):
    """The end of the account's chain is gone from the database: somebody tampered with it."""

    def __init__(self) -> None:
        super().__init__("The audit trail cannot be continued")
