"""What the storage process and the server say to each other over a socket pair: MessagePack, framed by length.

Both ends are one release, and one starts the other: nothing here is versioned.
"""

from struct import Struct as Layout

import msgspec

from talkwire.files.counter import Ask, Kept
from talkwire.files.model import Asker, FileLimits, HostedFile
from talkwire.kernel.ids import AccountId

LENGTH = Layout("<I")


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """A refusal on its way: the name of the most special class that the storage endpoint answers by."""

    name: str
    text: str
    retry_after_seconds: int = 0


class AdmitUpload(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answered with an `Admission`. `origin` is the client's address, here and below."""

    ask: Ask
    origin: str


class FinishUpload(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answered with a `Received`."""

    ticket: int
    kept: Kept
    origin: str


class RefuseUpload(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answered when it is on record."""

    ticket: int
    refusal: Refusal
    origin: str


class OpenDownload(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answered with an `Opened`."""

    ask: Ask
    origin: str


class NoteServed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answered when it is on record."""

    file: HostedFile
    asker: Asker | None
    start: int
    length: int
    origin: str


class NoteTampered(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answered when it is on record."""

    file: HostedFile
    asker: Asker | None
    origin: str


class DropUpload(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The sender broke off."""

    ticket: int


class NoteMissing(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The object of this file is gone."""

    account_id: AccountId
    relative_path: str


class Counted(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What was answered since the last time, for the metrics."""

    answers: list[tuple[str, str, int, float]]  # route, method, status, seconds
    uploads: list[tuple[int, int]]  # status, bytes
    incidents: int


class Ready(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """It listens."""


class Pong(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """It heard the ping of this number."""

    number: int


Question = AdmitUpload | FinishUpload | RefuseUpload | OpenDownload | NoteServed | NoteTampered
Notice = DropUpload | NoteMissing | Counted | Ready | Pong


class Said(msgspec.Struct, frozen=True, array_like=True):
    """A frame of the storage process. Questions are numbered from 1; a notice has 0, and no answer."""

    number: int
    body: Question | Notice


class Begin(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The server's first frame: all that the storage process is told of the settings. No secret is among it."""

    files_folder: str
    limits: FileLimits
    tls_listeners: list[int]  # inherited descriptors
    http_listeners: list[int]
    certificate: str
    certificate_key: str
    storage_host: str
    proxy_addresses: str
    http_body_bytes: int
    drain_seconds: float
    log_level: str
    log_format: str
    log_requests: bool


class Drain(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Take nothing new, finish what is under way, end."""


class Ping(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Are you there? Answered with a `Pong`."""

    number: int


class Answer(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Whoever asked knows what to read the body as."""

    number: int
    body: msgspec.Raw


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A refusal is an answer."""

    number: int
    refusal: Refusal


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A bug of the server's, logged there under this id."""

    number: int
    incident: str


Told = Begin | Drain | Ping | Answer | Refused | Failed
