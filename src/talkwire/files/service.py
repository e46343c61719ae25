"""Use cases of files: slots and download URLs. The bytes themselves go through `storage`."""

from talkwire.audit.model import Act, Entry
from talkwire.audit.service import Trail
from talkwire.files import rules
from talkwire.files.access import Access
from talkwire.files.allowance import Allowance
from talkwire.files.errors import FileNotFound
from talkwire.files.model import Asker, FileState, TempUrl, UploadClaim
from talkwire.files.paths import build_path, told_path
from talkwire.files.storage import FileStorage
from talkwire.files.temp_urls import TempUrls
from talkwire.identity.model import Principal
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import ParticipantId, new_uuid


class Files:
    """Who may share what with whom."""

    def __init__(
        self, access: Access, allowance: Allowance, urls: TempUrls, storage: FileStorage, trail: Trail
    ) -> None:
        self._access = access
        self._allowance = allowance
        self._trail = trail
        self.urls = urls
        self.storage = storage

    async def open_upload(self, who: Principal, claim: UploadClaim) -> TempUrl:
        """A place to PUT one file, for a minute. No row but the record of it: the signed path is the slot.

        Raises FileSharingOff, MaySendNoFiles, FileSizeMissing, FileTooLarge, FileTypeNotAllowed,
        TooManySlots, UploadsTooFast, QuotaUsedUp.
        """
        try:
            return await self._open_upload(who, claim)
        except TalkwireError as refusal:
            detail: dict[str, str | int] = {"bytes": claim.size_bytes, "type": claim.file_type}
            await self._trail.refuse(_entry(who, Act.REFUSED, "upload URL", **detail), refusal)
            raise

    async def _open_upload(self, who: Principal, claim: UploadClaim) -> TempUrl:
        await self._access.admit_sharing(who)
        uploader = rules.uploader_of(who)
        uploader_id = ParticipantId(who.old_id or who.id)
        opened_at_ms = await self._allowance.open_slot(who.account_id, uploader_id, uploader, claim)
        path = build_path(who.account_id, uploader_id, new_uuid(), opened_at_ms, claim.file_type)
        url = await self.urls.sign("PUT", who.account_id, path)
        detail: dict[str, str | int] = {"bytes": claim.size_bytes, "type": claim.file_type.upper()}
        await self._trail.record(_entry(who, Act.SLOT_ISSUED, path, **detail))
        return url

    async def open_download(self, who: Principal, relative_path: str) -> TempUrl:
        """A place to GET a file, for a minute.

        For its uploader, and for who takes part in a conversation in which it was published. Raises
        FileNotFound: unknown, foreign and never uploaded look alike. What is not judged yet is waited for by
        whoever comes with the URL.
        """
        file = await self._access.find_downloadable(who, relative_path)
        if file is None or not (file.state.may_be_served or file.state is FileState.RECEIVED):
            refusal = FileNotFound()
            entry = _entry(who, Act.REFUSED, "download URL", path=told_path(relative_path))
            await self._trail.refuse(entry, refusal)
            raise refusal
        asker = Asker(who.id, who.is_consumer)
        url = await self.urls.sign("GET", who.account_id, relative_path, asker)
        consumer_id = who.id if who.is_consumer else rules.consumer_of(file.uploader, file.uploader_id)
        await self._trail.record(
            Entry(who.account_id, Act.URL_ISSUED, relative_path, consumer_id, actor=who.id)
        )
        return url


def _entry(who: Principal, act: Act, relative_path: str, **detail: str | int) -> Entry:
    consumer_id = who.id if who.is_consumer else ""
    return Entry(who.account_id, act, relative_path, consumer_id, actor=who.id, detail=dict(detail))
