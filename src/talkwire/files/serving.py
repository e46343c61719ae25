"""Decide about the bytes of a file that go out, and put on record that they did."""

from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.service import Trail
from talkwire.files.counter import Ask, Opened
from talkwire.files.errors import FileNotFound
from talkwire.files.model import Asker, FileState, HostedFile
from talkwire.files.register import FileRegister
from talkwire.files.rules import consumer_of
from talkwire.files.temp_urls import SignedPath, TempUrls
from talkwire.files.verdicts import Verdicts
from talkwire.kernel.ids import AccountId
from talkwire.vault.errors import KeyDestroyed
from talkwire.vault.service import Vault


class Serving:
    """The counter's `Downloads`. Who may see a file was decided when its URL was signed: that is all that counts."""

    def __init__(
        self, urls: TempUrls, register: FileRegister, verdicts: Verdicts, vault: Vault, trail: Trail
    ) -> None:
        self._urls = urls
        self._register = register
        self._verdicts = verdicts
        self._vault = vault
        self._trail = trail

    async def open(self, ask: Ask) -> Opened:
        """As `Downloads.open`."""
        signed = await self._urls.check(ask.method, ask.path, ask.signature, ask.expires)
        name = (signed.named.account_id, signed.relative_path)
        deadline = self._verdicts.deadline()
        file = await self._register.find(*name)
        if file is not None and file.state is FileState.RECEIVED:
            await self._verdicts.wait(name, deadline)
            file = await self._register.find(*name)
        asker = self._urls.find_asker(signed)
        if file is None or not file.state.may_be_served:
            raise await self._not_found(signed, asker)
        if ask.method == "HEAD":
            return Opened(file, signed.expires, b"")
        try:
            secret = await self._vault.file_key(file.account_id, file.key_id)
        except KeyDestroyed:
            self._register.forget(file.name)
            raise await self._not_found(signed, asker) from None
        if ask.is_for_all:
            await self.note_served(file, asker, 0, file.served_bytes)
        return Opened(file, signed.expires, secret, is_recorded=ask.is_for_all, asker=asker)

    async def note_served(self, file: HostedFile, asker: Asker | None, start: int, length: int) -> None:
        """As `Downloads.note_served`."""
        detail: dict[str, Scalar] = {"start": start, "bytes": length}
        await self._trail.record(_entry_of(file, asker, Act.SERVED, detail))

    async def note_tampered(self, file: HostedFile, asker: Asker | None) -> None:
        """As `Downloads.note_tampered`."""
        detail: dict[str, Scalar] = {"reason": "stored bytes were tampered with"}
        await self._trail.record(_entry_of(file, asker, Act.REFUSED, detail))

    def note_missing(self, account_id: AccountId, relative_path: str) -> None:
        """As `Downloads.note_missing`."""
        self._register.forget((account_id, relative_path))

    async def _not_found(self, signed: SignedPath, asker: Asker | None) -> FileNotFound:
        """The refusal, once it is on record."""
        named, refusal = signed.named, FileNotFound()
        owner = consumer_of(named.uploader, named.participant_id)
        name = named.account_id, signed.relative_path
        await self._trail.refuse(_entry(name, owner, asker, Act.REFUSED, {"method": "GET"}), refusal)
        return refusal


def _entry_of(file: HostedFile, asker: Asker | None, act: Act, detail: dict[str, Scalar]) -> Entry:
    return _entry(file.name, consumer_of(file.uploader, file.uploader_id), asker, act, detail)


def _entry(
    name: tuple[AccountId, str], owner: str, asker: Asker | None, act: Act, detail: dict[str, Scalar]
) -> Entry:
    """By whoever asked for the URL. When nobody knows who that was, it may have been any consumer."""
    account_id, path = name
    if asker is None:
        detail = {**detail, "asker": "not known"}
        return Entry(account_id, act, path, owner, detail=detail, is_anybodys=True)
    consumer_id = asker.id if asker.is_consumer else owner
    return Entry(account_id, act, path, consumer_id, actor=asker.id, detail=detail)
