"""The counter as the storage process sees it: asked over the socket pair."""

import asyncio
from typing import TypeVar

import msgspec

from talkwire.audit.origin import ORIGIN
from talkwire.files.counter import Admission, Ask, Kept, Opened
from talkwire.files.model import Asker, HostedFile, Received
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import AccountId
from talkwire.storage import refusals
from talkwire.storage.link import Link
from talkwire.storage.wire import (
    AdmitUpload,
    Answer,
    Begin,
    Drain,
    DropUpload,
    Failed,
    FinishUpload,
    NoteMissing,
    NoteServed,
    NoteTampered,
    Notice,
    OpenDownload,
    Ping,
    Pong,
    Question,
    Refused,
    RefuseUpload,
    Said,
    Told,
)

T = TypeVar("T")

_told: msgspec.msgpack.Decoder[Told] = msgspec.msgpack.Decoder(Told)
_ADMISSION = msgspec.msgpack.Decoder(Admission)
_RECEIVED = msgspec.msgpack.Decoder(Received)
_OPENED = msgspec.msgpack.Decoder(Opened)
_NOTHING = msgspec.msgpack.Decoder(None)


class FailedThere(Exception):
    """The server has a bug, and logged it under this id."""

    def __init__(self, incident: str) -> None:
        super().__init__(incident)
        self.incident = incident


class Asking:
    """`files.counter.Uploads` and `Downloads`, whose decisions are made in the server."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.begin: asyncio.Future[Begin] = asyncio.get_running_loop().create_future()
        self.draining = asyncio.Event()
        self._number = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    async def admit(self, ask: Ask) -> Admission:
        return await self._ask(AdmitUpload(ask, ORIGIN.get()), _ADMISSION)

    async def finish(self, ticket: int, kept: Kept) -> Received:
        return await self._ask(FinishUpload(ticket, kept, ORIGIN.get()), _RECEIVED)

    async def refuse(self, ticket: int, refusal: TalkwireError) -> None:
        await self._ask(RefuseUpload(ticket, refusals.pack(refusal), ORIGIN.get()), _NOTHING)

    def drop(self, ticket: int) -> None:
        self.notify(DropUpload(ticket))

    async def open(self, ask: Ask) -> Opened:
        return await self._ask(OpenDownload(ask, ORIGIN.get()), _OPENED)

    async def note_served(self, file: HostedFile, asker: Asker | None, start: int, length: int) -> None:
        await self._ask(NoteServed(file, asker, start, length, ORIGIN.get()), _NOTHING)

    async def note_tampered(self, file: HostedFile, asker: Asker | None) -> None:
        await self._ask(NoteTampered(file, asker, ORIGIN.get()), _NOTHING)

    def note_missing(self, account_id: AccountId, relative_path: str) -> None:
        self.notify(NoteMissing(account_id, relative_path))

    def notify(self, notice: Notice) -> None:
        """Say what wants no answer."""
        if self.link is not None:
            self.link.send(Said(0, notice))

    def heard(self, frame: bytes) -> None:
        """Take what the server says."""
        told = _told.decode(frame)
        match told:
            case Begin():
                self.begin.set_result(told)
            case Drain():
                self.draining.set()
            case Ping(number):
                self.notify(Pong(number))
            case _:
                self._settle(told)

    async def _ask(self, question: Question, answer: msgspec.msgpack.Decoder[T]) -> T:
        self._number += 1
        number = self._number
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self.link is not None
        self.link.send(Said(number, question))
        try:
            body = await waiting
        finally:
            del self._waiting[number]
        return answer.decode(body)

    def _settle(self, told: Answer | Refused | Failed) -> None:
        waiting = self._waiting.get(told.number)
        if waiting is None or waiting.done():  # whoever asked was cancelled
            return
        match told:
            case Answer():
                waiting.set_result(told.body)
            case Refused():
                waiting.set_exception(refusals.unpack(told.refusal))
            case Failed():
                waiting.set_exception(FailedThere(told.incident))
