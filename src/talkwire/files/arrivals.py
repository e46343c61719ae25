"""Uploads that were admitted, while their bytes are on the way: each with its place in the store and its key."""

import asyncio
from contextlib import ExitStack
from typing import NamedTuple

from talkwire.files.counter import Admission, Kept
from talkwire.files.leftovers import Leftovers
from talkwire.files.model import FileState, HostedFile
from talkwire.files.register import FileRegister
from talkwire.files.rules import consumer_of
from talkwire.files.sealed import Place
from talkwire.files.slots import UploadsUnderWay
from talkwire.files.temp_urls import SignedPath
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import new_growing_id
from talkwire.vault.model import CONSUMER, STAGING, FileKey, Holder
from talkwire.vault.service import Vault, new_file_key


class Upload(NamedTuple):
    """A body that was admitted. `wrapped` is its key on the way to the key store, or what stands in a spent slot."""

    signed: SignedPath
    place: Place
    key_id: str
    wrapped: asyncio.Future[FileKey] | HostedFile
    held: ExitStack  # its place among the uploads under way


class Arrivals:
    """Uploads by ticket. Whatever comes to nothing leaves neither object nor key."""

    def __init__(
        self,
        under_way: UploadsUnderWay,
        vault: Vault,
        register: FileRegister,
        leftovers: Leftovers,
        clock: Clock,
    ) -> None:
        self._under_way = under_way
        self._vault = vault
        self._register = register
        self._leftovers = leftovers
        self._clock = clock
        self._uploads: dict[int, Upload] = {}
        self._tickets = 0

    def begin(self, signed: SignedPath, max_bytes: int) -> Admission:
        """From now on a body may come in; its key is wrapped meanwhile. Raises TooManyUploads."""
        held = ExitStack()
        held.enter_context(self._under_way.one(signed.relative_path))
        account_id, now_ms = signed.named.account_id, self._clock.now_ms()
        place = Place(account_id, signed.relative_path, new_growing_id(now_ms))
        key = new_file_key(now_ms)
        spent = self._register.find_held((account_id, signed.relative_path))
        wrapped = spent or asyncio.ensure_future(
            self._vault.create_file_key(account_id, _holder_of(signed), key)
        )
        self._tickets += 1
        self._uploads[self._tickets] = Upload(signed, place, key.key_id, wrapped, held)
        return Admission(self._tickets, place, key.secret, max_bytes, is_spent=spent is not None)

    def take(self, ticket: int) -> Upload:
        """An upload whose bytes are all here. Whoever takes it gives its place back (`held`)."""
        return self._uploads.pop(ticket)

    async def described(self, upload: Upload, wrapped: asyncio.Future[FileKey], kept: Kept) -> HostedFile:
        """What is to be entered, once its key is durable, too."""
        try:
            await wrapped
        except BaseException:
            self._leftovers.drop_object(upload.place.object_key)
            self._leftovers.drop_key_when_made(upload.signed.named.account_id, wrapped)
            raise
        named = upload.signed.named
        return HostedFile(
            account_id=named.account_id,
            relative_path=upload.signed.relative_path,
            object_key=upload.place.object_key,
            key_id=upload.key_id,
            uploader_id=named.participant_id,
            uploader=named.uploader,
            state=FileState.RECEIVED,
            size_bytes=kept.size_bytes,
            sha256=kept.sha256,
            served_bytes=0,
            served_sha256="",
            image_type=kept.image_type,
            received_at_ms=self._clock.now_ms(),
        )

    def drop(self, ticket: int) -> SignedPath:
        """Nothing of it was kept; gives back what it was to be."""
        upload = self._uploads.pop(ticket)
        upload.held.close()
        if isinstance(upload.wrapped, asyncio.Future):
            self._leftovers.drop_key_when_made(upload.signed.named.account_id, upload.wrapped)
        return upload.signed

    def abandon(self, ticket: int) -> None:
        """Whoever took the body in is gone, perhaps in the middle: what it wrote goes."""
        upload = self._uploads.get(ticket)
        if upload is not None:
            self.drop(ticket)
            self._leftovers.drop_object(upload.place.object_key)


def _holder_of(signed: SignedPath) -> Holder:
    consumer_id = consumer_of(signed.named.uploader, signed.named.participant_id)
    return Holder(CONSUMER, consumer_id) if consumer_id else Holder(STAGING)
