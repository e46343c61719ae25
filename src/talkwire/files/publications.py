"""Showing a file in a conversation: admitted first, then recorded in the unit that appends its event."""

import msgspec

from talkwire.audit.model import Act, Entry
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Transaction
from talkwire.files import rules, store
from talkwire.files.access import Access
from talkwire.files.errors import UnusableFile
from talkwire.files.model import FileLimits, FileState, HostedFile, HostedFileMessage, Preview, Publication
from talkwire.files.paths import told_path
from talkwire.files.previews import Previews
from talkwire.files.register import FileRegister
from talkwire.files.verdicts import Verdicts
from talkwire.identity.model import Principal
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId
from talkwire.vault.errors import KeyDestroyed
from talkwire.vault.model import CONSUMER, Holder
from talkwire.vault.service import Vault


class Publications:
    """What messaging asks when a file is published."""

    def __init__(
        self,
        access: Access,
        register: FileRegister,
        verdicts: Verdicts,
        previews: Previews,
        vault: Vault,
        trail: Trail,
        limits: FileLimits,
    ) -> None:
        self._access = access
        self._register = register
        self._verdicts = verdicts
        self._previews = previews
        self._vault = vault
        self._trail = trail
        self._limits = limits

    def deadline(self) -> float:
        """Until when a publish that comes now may wait for a verdict, by the loop's time."""
        return self._verdicts.deadline()

    async def wait_for_verdict(self, account_id: AccountId, relative_path: str, deadline: float) -> None:
        """Raises NotJudgedYet."""
        await self._verdicts.wait((account_id, relative_path), deadline)

    async def admit(
        self,
        who: Principal,
        conversation_id: ConversationId,
        consumer_id: ParticipantId,
        message: HostedFileMessage,
    ) -> Publication:
        """Judge a file that `who` is about to publish; whether `who` may publish there is not asked here.

        From then on the conversation's consumer holds its key. Raises FileSharingOff, MaySendNoFiles,
        FileTypeNotAllowed, PreviewUnusable, UnusableFile, NotJudgedYet.
        """
        try:
            return await self._admit(who, conversation_id, consumer_id, message)
        except TalkwireError as refusal:
            detail = {"path": told_path(message.relative_path), "conversation": conversation_id}
            own = who.id if who.is_consumer else ""
            entry = Entry(who.account_id, Act.REFUSED, "publish", own, actor=who.id, detail=detail)
            await self._trail.refuse(entry, refusal)
            raise

    async def _admit(
        self,
        who: Principal,
        conversation_id: ConversationId,
        consumer_id: ParticipantId,
        message: HostedFileMessage,
    ) -> Publication:
        await self._access.admit_sharing(who)
        rules.admit_published_type(message.file_type)
        claimed = rules.read_preview(message.preview, self._limits)
        found = await self._access.find_publishable(who, message.relative_path)
        file = rules.admit_file(found, rules.uploader_of(who), self._limits)
        try:
            await self._vault.share_file_key(who.account_id, file.key_id, Holder(CONSUMER, consumer_id))
            preview, sealed_preview = await self._preview_of(file, claimed)
        except KeyDestroyed:  # erased this moment
            raise UnusableFile from None
        return Publication(
            account_id=who.account_id,
            conversation_id=conversation_id,
            publisher_id=who.id,
            file=file,
            message=message if message.preview is None else msgspec.structs.replace(message, preview=None),
            consumer_id=consumer_id,
            preview=preview,
            sealed_preview=sealed_preview,
            record=await self._trail.seal(_published(who, file, conversation_id, consumer_id)),
        )

    async def record(
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
        await self._trail.write(tx, publication.record)
        place = dialog_id, sequence, audience, at_ms
        if publication.file.state is FileState.PUBLISHED and await store.show_again(tx, publication, *place):
            return
        is_first = await store.mark_published(tx, publication, at_ms)
        await store.insert_publication(tx, publication, *place)
        if publication.preview is not None and is_first:
            await store.put_preview(
                tx, *publication.file.name, publication.preview.image_type, publication.sealed_preview
            )

    def note(self, publication: Publication, *, audience: str) -> None:
        """Show a committed publication to whoever asks next. Not awaited: made for `write(then=)`."""
        self._register.show(publication, is_public=audience == store.PUBLIC)
        if publication.preview is not None and publication.file.state is FileState.CLEAN:
            self._previews.replace(*publication.file.name, rules.preview_uri(publication.preview))

    async def _preview_of(self, file: HostedFile, claimed: Preview | None) -> tuple[Preview | None, bytes]:
        """The publisher's own preview, made anew; when there is none of use, the one that is there stays.

        The first publication's preview stays: a later publisher may not repaint earlier events.
        """
        made = None
        if claimed is not None and file.state is FileState.CLEAN:
            made = await self._previews.make(claimed)
        if made is not None:
            return made, await self._previews.seal(file, made)
        if file.state is FileState.PUBLISHED or self._previews.are_made:
            if self._previews.find_held(*file.name) is None:
                await self._previews.list_for(file.account_id, [file.relative_path])  # at hand for telling
        else:
            self._previews.hold(*file.name, "")
        return None, b""


def _published(
    who: Principal, file: HostedFile, conversation_id: ConversationId, consumer_id: ParticipantId
) -> Entry:
    return Entry(
        file.account_id,
        Act.PUBLISHED,
        file.relative_path,
        consumer_id,
        actor=who.id,
        detail={"conversation": conversation_id, "bytes": file.served_bytes},
    )
