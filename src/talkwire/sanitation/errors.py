"""How sanitation says no."""

from talkwire.kernel.errors import Invalid, Unavailable
from talkwire.sanitation.model import Reason


class Rejected(Invalid):
    """The bytes are not kept. A verdict: asking again gives the same."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"the file was rejected: {reason.value}")
        self.reason = reason
        self.detail = detail  # for our log; never sent to a client


class Busy(Unavailable):
    """Too many pictures wait for a worker; nothing was done."""

    def __init__(self) -> None:
        super().__init__("too many files are being checked, try again")


class NoWorker(Unavailable):
    """Workers cannot be started here; nothing was done."""

    def __init__(self) -> None:
        super().__init__("files cannot be checked at the moment, try again")
