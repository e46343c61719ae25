"""Decide about the bytes of a slot that come in: admitted, entered once they are on disk, or forgotten."""

from talkwire.audit.model import Act, Entry
from talkwire.audit.service import Trail
from talkwire.files.arrivals import Arrivals
from talkwire.files.counter import Admission, Ask, Kept
from talkwire.files.entering import Entering, repeated
from talkwire.files.errors import BodyTooLarge, TempUrlInvalid
from talkwire.files.model import FileLimits, HostedFile, Received
from talkwire.files.rules import consumer_of
from talkwire.files.temp_urls import SignedPath, TempUrls
from talkwire.kernel.errors import TalkwireError


class Receiving:
    """The counter's `Uploads`."""

    def __init__(
        self, urls: TempUrls, arrivals: Arrivals, entering: Entering, trail: Trail, limits: FileLimits
    ) -> None:
        self._urls = urls
        self._arrivals = arrivals
        self._entering = entering
        self._trail = trail
        self._limits = limits

    async def admit(self, ask: Ask) -> Admission:
        """As `Uploads.admit`. Its key is wrapped while the body comes in."""
        signed = await self._urls.check(ask.method, ask.path, ask.signature, ask.expires)
        max_bytes = self._limits.max_bytes(signed.named.uploader)
        try:
            if ask.length > max_bytes:
                raise BodyTooLarge(max_bytes)
            if not signed.named.participant_id:
                raise TempUrlInvalid  # a path of the older generation: nobody is its uploader
            return self._arrivals.begin(signed, max_bytes)
        except TalkwireError as refusal:
            await self._record(signed, refusal)
            raise

    async def finish(self, ticket: int, kept: Kept) -> Received:
        """As `Uploads.finish`."""
        upload = self._arrivals.take(ticket)
        try:
            with upload.held:
                if isinstance(upload.wrapped, HostedFile):
                    return repeated(upload.wrapped, kept.sha256)
                file = await self._arrivals.described(upload, upload.wrapped, kept)
                return await self._entering.enter(file, upload.signed.named.opened_at_ms)
        except TalkwireError as refusal:
            await self._record(upload.signed, refusal)
            raise

    async def refuse(self, ticket: int, refusal: TalkwireError) -> None:
        """As `Uploads.refuse`."""
        await self._record(self._arrivals.drop(ticket), refusal)

    def drop(self, ticket: int) -> None:
        """As `Uploads.drop`."""
        self._arrivals.drop(ticket)

    def abandon(self, ticket: int) -> None:
        """Whoever took the body in is gone, perhaps in the middle: what it wrote goes."""
        self._arrivals.abandon(ticket)

    async def _record(self, signed: SignedPath, refusal: TalkwireError) -> None:
        """Put on record that nothing was taken under a genuine URL."""
        named = signed.named
        consumer_id = consumer_of(named.uploader, named.participant_id)
        entry = Entry(
            named.account_id, Act.REFUSED, signed.relative_path, consumer_id, detail={"method": "PUT"}
        )
        await self._trail.refuse(entry, refusal)
