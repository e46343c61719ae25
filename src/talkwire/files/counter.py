"""The counter of the storage endpoint: who decides and keeps the books, apart from who moves the bytes.

Whoever moves bytes (`storage.py`) asks here before the first, and says at the end what came of it. Both may sit in one
process, or the bytes in one of their own that holds no key but the one of the file in hand.
"""

from typing import Protocol

import msgspec

from talkwire.files.model import Asker, HostedFile, Received
from talkwire.files.sealed import Place
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import AccountId
from talkwire.sanitation.sniff import ImageType


class Ask(msgspec.Struct, frozen=True):
    """A request to the storage endpoint, before anything of its body was read."""

    method: str
    path: str  # decoded; begins with `/v1/`
    signature: str
    expires: str
    length: int = 0  # what Content-Length says; 0 when it says nothing
    is_for_all: bool = False  # a GET of the whole file, under no condition

    def __repr__(self) -> str:
        return f"Ask({self.method})"


class Admission(msgspec.Struct, frozen=True):
    """Leave to take one body in: where it belongs, and the key it is sealed under."""

    ticket: int
    place: Place
    secret: bytes
    max_bytes: int
    is_spent: bool = False  # the slot is: the body is only compared, nothing of it is kept

    def __repr__(self) -> str:
        return f"Admission({self.ticket})"


class Kept(msgspec.Struct, frozen=True):
    """A body that came whole, and is on disk unless the slot was spent: what went in."""

    size_bytes: int
    sha256: str
    image_type: ImageType | None


class Opened(msgspec.Struct, frozen=True):
    """Leave to give out one file until `expires` (unix seconds). `secret` is empty where only headers are asked for.

    `is_recorded`: that all of it is served is on record already. `asker`: who asked for the URL, if that is known.
    """

    file: HostedFile
    expires: int
    secret: bytes
    is_recorded: bool = False
    asker: Asker | None = None

    def __repr__(self) -> str:
        return f"Opened({self.file.relative_path})"


class Uploads(Protocol):
    """Decides about bodies that come in. Every admission ends with exactly one of the three others."""

    async def admit(self, ask: Ask) -> Admission:
        """Raises TempUrlInvalid, BodyTooLarge, TooManyUploads, Unavailable."""
        ...

    async def finish(self, ticket: int, kept: Kept) -> Received:
        """The body is whole and on disk: enter it. Nothing may be answered before this returns.

        The same bytes once more are answered as the first time (that answer may have been lost). Raises
        TempUrlInvalid (spent with other bytes), Unavailable; then nothing is kept.
        """
        ...

    async def refuse(self, ticket: int, refusal: TalkwireError) -> None:
        """Nothing was kept, for this reason: on record when it returns."""
        ...

    def drop(self, ticket: int) -> None:
        """Nothing was kept: the sender broke off."""
        ...


class Downloads(Protocol):
    """Decides about bytes that go out."""

    async def open(self, ask: Ask) -> Opened:
        """The file behind a genuine URL, once it is judged. What is asked for as a whole is on record as served.

        Raises TempUrlInvalid, FileNotFound, NotJudgedYet.
        """
        ...

    async def note_served(self, file: HostedFile, asker: Asker | None, start: int, length: int) -> None:
        """To be awaited before the first byte is given: then it is on record."""
        ...

    async def note_tampered(self, file: HostedFile, asker: Asker | None) -> None:
        """Stored bytes are not what we wrote: put on record that they were not given."""
        ...

    def note_missing(self, account_id: AccountId, relative_path: str) -> None:
        """The object is gone: look at the row anew the next time."""
        ...
