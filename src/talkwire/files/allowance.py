"""What an uploader may still send: the size of one file, slots at a time, so much a day."""

from talkwire.files import rules
from talkwire.files.model import FileLimits, HostedFile, UploadClaim, Uploader
from talkwire.files.quotas import Quotas
from talkwire.files.slots import SlotBook
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ParticipantId


class Allowance:
    """Used up by slots and by the files that come in under them."""

    def __init__(self, slots: SlotBook, quotas: Quotas, clock: Clock, limits: FileLimits) -> None:
        self._slots = slots
        self._quotas = quotas
        self._clock = clock
        self._limits = limits

    async def open_slot(
        self, account_id: AccountId, uploader_id: ParticipantId, uploader: Uploader, claim: UploadClaim
    ) -> int:
        """Count a slot for what is claimed; the moment it was opened, by which it is spent.

        Raises FileSizeMissing, FileTooLarge, FileTypeNotAllowed, TooManySlots, UploadsTooFast, QuotaUsedUp.
        """
        rules.admit_upload(claim, uploader, self._limits)
        now_ms = self._clock.now_ms()
        await self._quotas.admit(account_id, uploader_id, uploader, claim.size_bytes)
        self._slots.open(account_id, uploader_id, uploader, now_ms)
        return now_ms

    def spend(self, file: HostedFile, opened_at_ms: int) -> None:
        """A file came in under a slot that was opened then."""
        self._quotas.count(file)
        self._slots.spend(file.account_id, file.uploader_id, opened_at_ms)
