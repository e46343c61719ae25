"""The server's side of the counter: questions of the storage process, answered by the rooms."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from talkwire.audit.origin import ORIGIN
from talkwire.files.counter import Admission, Downloads, Uploads
from talkwire.handlers.dispatch import Incidents
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.tasks import Tasks
from talkwire.storage import refusals
from talkwire.storage.link import Link
from talkwire.storage.wire import (
    AdmitUpload,
    Answer,
    Counted,
    DropUpload,
    Failed,
    FinishUpload,
    NoteMissing,
    NoteServed,
    NoteTampered,
    OpenDownload,
    Ping,
    Pong,
    Question,
    Ready,
    Refused,
    RefuseUpload,
    Said,
)

_encoder = msgspec.msgpack.Encoder()
_said: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)


class RemoteUploads(Uploads, Protocol):
    """Uploads whose bytes are taken in elsewhere."""

    def abandon(self, ticket: int) -> None:
        """Whoever took the body in is gone, perhaps in the middle."""
        ...


class Counter(msgspec.Struct, frozen=True):
    """The rooms that decide, and who hears of the rest."""

    uploads: RemoteUploads
    downloads: Downloads
    tasks: Tasks
    incidents: Incidents
    counted: Callable[[Counted], None]


class Answering:
    """Answers one storage process, for as long as it lives."""

    def __init__(self, counter: Counter, ready: Callable[[], None]) -> None:
        self._counter = counter
        self._ready = ready
        self._tickets: set[int] = set()
        self._is_lost = False
        self._pings: dict[int, asyncio.Future[None]] = {}
        self._pinged = 0
        self.link: Link | None = None

    def heard(self, frame: bytes) -> None:
        said = _said.decode(frame)
        match said.body:
            case DropUpload(ticket):
                self._tickets.discard(ticket)
                self._counter.uploads.drop(ticket)
            case NoteMissing(account_id, relative_path):
                self._counter.downloads.note_missing(account_id, relative_path)
            case Counted():
                self._counter.counted(said.body)
            case Ready():
                self._ready()
            case Pong(number):
                if (waiting := self._pings.get(number)) is not None and not waiting.done():
                    waiting.set_result(None)
            case _:
                self._counter.tasks.start(self._answer(said.number, said.body), "storage: answer")

    async def ping(self, seconds: float) -> None:
        """Returns when the process shows that its loop turns. Raises TimeoutError."""
        self._pinged += 1
        number = self._pinged
        waiting = self._pings[number] = asyncio.get_running_loop().create_future()
        self._send(Ping(number))
        try:
            async with asyncio.timeout(seconds):
                await waiting
        finally:
            del self._pings[number]

    def lost(self) -> None:
        """The process is gone. What it had in hand is forgotten."""
        self._is_lost = True
        while self._tickets:
            self._counter.uploads.abandon(self._tickets.pop())

    async def _answer(self, number: int, question: Question) -> None:
        ORIGIN.set(question.origin)
        try:
            body = _encoder.encode(await self._perform(question))
        except TalkwireError as refusal:
            self._send(Refused(number, refusals.pack(refusal)))
        except Exception as error:  # noqa: BLE001 -- a bug of ours is answered by its id alone
            incident = self._counter.incidents.record(error, f"storage: {type(question).__name__}")
            self._send(Failed(number, incident))
        else:
            self._send(Answer(number, msgspec.Raw(body)))

    async def _perform(self, question: Question) -> object:
        uploads, downloads = self._counter.uploads, self._counter.downloads
        match question:
            case AdmitUpload(ask):
                return self._held(await uploads.admit(ask))
            case FinishUpload(ticket, kept):
                self._tickets.discard(ticket)
                return await uploads.finish(ticket, kept)
            case RefuseUpload(ticket, refusal):
                self._tickets.discard(ticket)
                await uploads.refuse(ticket, refusals.unpack(refusal))
            case OpenDownload(ask):
                return await downloads.open(ask)
            case NoteServed(file, asker, start, length):
                await downloads.note_served(file, asker, start, length)
            case NoteTampered(file, asker):
                await downloads.note_tampered(file, asker)
        return None

    def _held(self, admission: Admission) -> Admission:
        """Remember who has it in hand, unless that process died meanwhile."""
        if self._is_lost:
            self._counter.uploads.abandon(admission.ticket)
        else:
            self._tickets.add(admission.ticket)
        return admission

    def _send(self, message: msgspec.Struct) -> None:
        if self.link is not None:
            self.link.send(message)
