"""Whether a file may be shown in a conversation, and with which preview: settled before its event has a place."""

import msgspec

from talkwire.audit.model import Act, Entry
from talkwire.audit.service import Trail
from talkwire.files import rules
from talkwire.files.access import Access
from talkwire.files.errors import UnusableFile
from talkwire.files.model import FileLimits, FileState, HostedFile, HostedFileMessage, Preview, Publication
from talkwire.files.paths import told_path
from talkwire.files.previews import Previews
from talkwire.identity.model import Principal
from talkwire.kernel.errors import TalkwireError
from talkwire.kernel.ids import ConversationId, ParticipantId
from talkwire.vault.errors import KeyDestroyed
from talkwire.vault.model import CONSUMER, Holder
from talkwire.vault.service import Vault


class Showing:
    """What messaging asks before a file is published."""

    def __init__(
        self, access: Access, previews: Previews, vault: Vault, trail: Trail, limits: FileLimits
    ) -> None:
        self._access = access
        self._previews = previews
        self._vault = vault
        self._trail = trail
        self._limits = limits

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
