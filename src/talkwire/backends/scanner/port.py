"""The scanner port: is there known malware in these bytes?

Rebuilding images is what keeps people safe; a scanner tells an operator who tried what. When one is
configured, nothing passes that it has not seen: a scanner that cannot be asked is a refusal, never a pass.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

from talkwire.kernel.errors import Unavailable


class Verdict(NamedTuple):
    """What a scanner found."""

    clean: bool
    name: str = ""  # of what was found, in the scanner's words


CLEAN = Verdict(clean=True)


class ScannerDown(Unavailable):
    """The scanner could not be asked, or did not answer in time. The bytes are neither good nor bad."""


class NoAnswer(ScannerDown):
    """It was given all bytes and said nothing: it is down, or these bytes are more than it can do."""


class Unscannable(Unavailable):
    """The scanner works, and says why it cannot look through these bytes: it would say the same again."""


class Scanner(Protocol):
    """Looks through bytes.

    Adapters promise: bytes are passed on as they come, memory stays flat; every wait has an end; what
    goes wrong is ScannerDown (NoAnswer when all bytes were sent), or Unscannable when it is the bytes' own
    fault; any number of scans may be asked for at once, and a bounded number run.
    """

    async def scan(self, chunks: AsyncIterator[bytes]) -> Verdict:
        """Look through all bytes. Raises ScannerDown, NoAnswer, Unscannable; whatever `chunks` raises comes through."""
        ...

    async def ping(self) -> None:
        """Ask whether it is there and works. Raises ScannerDown."""
        ...
