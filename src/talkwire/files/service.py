"""Use cases of files: slots, download URLs, publication. The bytes themselves go through `storage`."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from talkwire.accounts.properties import (
    AGENT_FILE_SHARING,
    AGENT_FILE_SHARING_GRANT,
    AGENT_FILE_SHARING_V2_GRANT,
    CONSUMER_FILE_SHARING,
    Property,
)
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.filestore.port import FileStore
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.views import View
from talkwire.files import rules, store
from talkwire.files.errors import FileNotFound, UnusableFile
from talkwire.files.model import (
    RECENT_PUBLICATIONS,
    FileLimits,
    FileState,
    HostedFile,
    HostedFileMessage,
    Publication,
    PublishedIn,
    TempUrl,
    UploadClaim,
)
from talkwire.files.paths import build_path, parse_path
from talkwire.files.previews import Previews
from talkwire.files.register import FileRegister
from talkwire.files.slots import SlotBook
from talkwire.files.storage import FileStorage
from talkwire.files.temp_urls import TempUrls
from talkwire.identity.model import Principal
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId, new_uuid


class Switches(Protocol):
    """What files asks of accounts."""

    async def value(self, account_id: AccountId, prop: Property) -> bool | int | str: ...
    async def has_grant(self, account_id: AccountId, name: str) -> bool: ...


class ConversationViews(Protocol):
    """What files asks of conversations."""

    async def view(self, account_id: AccountId, conversation_id: str) -> View: ...


class Files:
    """Who may share what with whom."""

    def __init__(
        self,
        database: Database,
        file_store: FileStore,
        accounts: Switches,
        conversations: ConversationViews,
        clock: Clock,
        limits: FileLimits | None = None,
    ) -> None:
        self._accounts = accounts
        self._conversations = conversations
        self._clock = clock
        self._limits = limits or FileLimits()
        self._slots = SlotBook(self._limits)
        self._register = FileRegister(database, clock)
        self._previews = Previews(database, clock)
        self.urls = TempUrls(database, clock, self._limits.slot_seconds)
        self.storage = FileStorage(file_store, self._register, self.urls, self._slots, clock, self._limits)

    async def open_upload(self, who: Principal, claim: UploadClaim) -> TempUrl:
        """A place to PUT one file, for a minute. Writes nothing: the signed path is the slot.

        Raises FileSharingOff, MaySendNoFiles, FileSizeMissing, FileTooLarge, FileTypeNotAllowed,
        TooManySlots.
        """
        await self._admit_sharing(who)
        uploader = rules.uploader_of(who)
        rules.admit_upload(claim, uploader, self._limits)
        uploader_id = ParticipantId(who.old_id or who.id)
        now_ms = self._clock.now_ms()
        self._slots.open(who.account_id, uploader_id, uploader, now_ms)
        path = build_path(who.account_id, uploader_id, new_uuid(), now_ms, claim.file_type)
        return await self.urls.sign("PUT", who.account_id, path)

    async def open_download(self, who: Principal, relative_path: str) -> TempUrl:
        """A place to GET a file, for a minute.

        For its uploader, and for who takes part in a conversation in which it was published. Raises
        FileNotFound: unknown, foreign and never uploaded look alike.
        """
        file = await self._find_downloadable(who, relative_path)
        if file is None or not file.state.may_be_served:
            raise FileNotFound
        return await self.urls.sign("GET", who.account_id, relative_path)

    async def admit_publication(
        self, who: Principal, conversation_id: ConversationId, message: HostedFileMessage
    ) -> Publication:
        """Judge a file that `who` is about to publish; whether `who` may publish there is not asked here.

        Raises FileSharingOff, MaySendNoFiles, FileTypeNotAllowed, PreviewUnusable, UnusableFile,
        NotJudgedYet.
        """
        await self._admit_sharing(who)
        rules.admit_published_type(message.file_type)
        preview = rules.read_preview(message.preview, self._limits)
        found = await self._find_downloadable(who, message.relative_path)
        file = rules.admit_file(found, rules.uploader_of(who), self._limits)
        if (
            file.state is FileState.PUBLISHED
        ):  # its first preview stays: have it at hand for `note_publication`
            await self._previews.list_for(who.account_id, [file.relative_path])
        return Publication(
            account_id=who.account_id,
            conversation_id=conversation_id,
            publisher_id=who.id,
            file=file,
            message=msgspec.structs.replace(message, preview=None),
            preview=preview,
        )

    async def record_publication(
        self,
        tx: Transaction,
        publication: Publication,
        *,
        dialog_id: str,
        sequence: int,
        audience: str,
        at_ms: int,
    ) -> None:
        """Write down where a file was shown, in the unit that appends its event. After COMMIT: `note`.

        Raises UnusableFile when the file went away since it was admitted: nothing may be appended then.
        """
        if not await store.mark_published(tx, publication, at_ms):
            raise UnusableFile
        await store.insert_publication(tx, publication, dialog_id, sequence, audience, at_ms)
        if publication.preview is not None:
            await store.insert_preview(
                tx, publication.account_id, publication.file.relative_path, publication.preview
            )

    def note_publication(self, publication: Publication, *, audience: str) -> None:
        """Show a committed publication to whoever asks next. Not awaited: made for `write(then=)`."""
        self._register.show(publication, is_public=audience == store.PUBLIC)
        uri = rules.preview_uri(publication.preview) if publication.preview else ""
        self._previews.hold(publication.account_id, publication.file.relative_path, uri)

    def preview_held(self, account_id: AccountId, relative_path: str) -> str | None:
        """The preview as data URI if it is in memory, `""` for none, None when `previews_for` must read."""
        return self._previews.find_held(account_id, relative_path)

    async def previews_for(self, account_id: AccountId, relative_paths: Iterable[str]) -> dict[str, str]:
        """Previews as data URIs, by path; read in bulk when they are not in memory."""
        return await self._previews.list_for(account_id, relative_paths)

    async def _admit_sharing(self, who: Principal) -> None:
        on, granted = self._accounts.value, self._accounts.has_grant
        account_id = who.account_id
        rules.admit_sharing(
            who,
            consumers_on=bool(await on(account_id, CONSUMER_FILE_SHARING)),
            agents_on=who.is_consumer or bool(await on(account_id, AGENT_FILE_SHARING)),
            granted=who.is_consumer
            or await granted(account_id, AGENT_FILE_SHARING_GRANT)
            or await granted(account_id, AGENT_FILE_SHARING_V2_GRANT),
        )

    async def _find_downloadable(self, who: Principal, relative_path: str) -> HostedFile | None:
        """The file, if `who` may download it. What memory refuses is looked up once more."""
        named = parse_path(relative_path)
        if named is None or named.account_id != who.account_id:
            return None
        for fresh in (False, True):
            file = await self._register.find(who.account_id, relative_path, fresh=fresh)
            if file is None:
                return None
            if await self._may_download(who, file):
                return file
        return None

    async def _may_download(self, who: Principal, file: HostedFile) -> bool:
        if rules.is_uploader(who, file) or (file.published_in and rules.sees_every_file(who)):
            return True
        for shown in file.published_in:
            if await self._is_shown_to(who, shown):
                return True
        if len(file.published_in) < RECENT_PUBLICATIONS:
            return False
        return any(
            [
                await self._is_shown_to(who, shown)
                for shown in await self._register.list_shown_to(file, who.id)
            ]
        )

    async def _is_shown_to(self, who: Principal, shown: PublishedIn) -> bool:
        try:
            view = await self._conversations.view(who.account_id, shown.conversation_id)
        except ConversationNotFound:
            return False
        return rules.may_download(who, shown, view.conversation)
