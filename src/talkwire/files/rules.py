"""Who may share what: pure decisions. Source: docs/protocol.md 9.3 and 9.5 to 9.8."""

import base64
import binascii
import re
from calendar import monthrange
from datetime import UTC, datetime

import msgspec

from talkwire.conversations.model import Conversation, State
from talkwire.files.errors import (
    FileMayNotResume,
    FileSharingOff,
    FileSizeMissing,
    FileTooLarge,
    FileTypeNotAllowed,
    MaySendNoFiles,
    NotJudgedYet,
    PreviewUnusable,
    UnusableFile,
)
from talkwire.files.model import (
    FileLimits,
    FileState,
    HostedFile,
    Preview,
    PublishedIn,
    UploadClaim,
    Uploader,
    Verdict,
)
from talkwire.identity.model import Principal, Privilege
from talkwire.sanitation.sniff import sniff_whole

PUBLISHED_TYPES = frozenset({"JPG", "JPEG", "PNG", "GIF", "IMG", "TXT", "PDF", "DOCX", "XLSX", "PPTX"})
"""What `fileType` of an event may say: the union of all published lists. The bytes decide, not this word."""

NOT_AN_IMAGE = "not an image"
_DATA_URI = re.compile(r"data:[A-Za-z0-9.+/;=\-]*?;base64,", re.ASCII)


def uploader_of(who: Principal) -> Uploader:
    """Whose limits count for somebody: connectors speak for consumers, bots are agents."""
    return Uploader.CONSUMER if who.is_consumer else Uploader.AGENT


def admit_sharing(who: Principal, *, consumers_on: bool, agents_on: bool, granted: bool) -> None:
    """Refuse whoever may not send files at all.

    Agents need the consumers' switch, their own, a feature grant of the account, and one of the two
    privileges. Raises FileSharingOff, MaySendNoFiles. Source: docs/protocol.md 9.7.
    """
    if not consumers_on:
        raise FileSharingOff
    if who.is_consumer:
        return
    if not (agents_on and granted):
        raise FileSharingOff
    if not (who.may(Privilege.SEND_FILES) or who.may(Privilege.SEND_FILES_FROM_WIDGETS)):
        raise MaySendNoFiles


def admit_upload(claim: UploadClaim, uploader: Uploader, limits: FileLimits) -> None:
    """Refuse bytes we would not keep, before they are sent. The store counts again on arrival.

    Raises FileSizeMissing, FileTooLarge, FileTypeNotAllowed.
    """
    if claim.size_bytes < 1:
        raise FileSizeMissing
    if claim.size_bytes > limits.max_bytes(uploader):
        raise FileTooLarge(claim.size_bytes, limits.max_bytes(uploader))
    if claim.file_type.upper() not in limits.file_types:
        raise FileTypeNotAllowed(claim.file_type)


def as_received(file: HostedFile) -> Verdict:
    """The verdict when nothing is rebuilt: what was received is served, if its two ends look sound."""
    if not file.image_type or not file.size_bytes:
        return Verdict(FileState.REJECTED, NOT_AN_IMAGE)
    return Verdict(
        FileState.CLEAN,
        object_key=file.object_key,
        served_bytes=file.size_bytes,
        served_sha256=file.sha256,
        image_type=file.image_type,
    )


GROWTH = 4
"""So many times larger than it came an honest picture may be when it is encoded anew, small ones more."""


def most_served_bytes(file: HostedFile, limits: FileLimits) -> int:
    """A picture made anew is no larger: as large as its uploader may send, or some times as large as it came."""
    return max(limits.max_bytes(file.uploader), GROWTH * file.size_bytes)


def judged(file: HostedFile, verdict: Verdict) -> HostedFile:
    """The file as it is once a verdict was settled."""
    return msgspec.structs.replace(
        file,
        state=verdict.state,
        reason=verdict.reason,
        object_key=verdict.object_key,
        served_bytes=verdict.served_bytes,
        served_sha256=verdict.served_sha256,
        image_type=verdict.image_type,
    )


def consumer_of(uploader: Uploader, uploader_id: str) -> str:
    """Whose personal data an uploaded file is; empty when an agent uploaded it."""
    return uploader_id if uploader is Uploader.CONSUMER else ""


def expired_before_ms(now_ms: int, months: int) -> int:
    """What was last published before this moment has been kept for so many calendar months (UTC)."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    month = now.year * 12 + now.month - 1 - months
    year, month = max(1970, month // 12), month % 12 + 1
    day = min(now.day, monthrange(year, month)[1])
    return int(now.replace(year=year, month=month, day=day).timestamp()) * 1000 + now_ms % 1000


def admit_published_type(file_type: str) -> None:
    """Raises FileTypeNotAllowed. The word need not agree with the path, the claim or the bytes."""
    if file_type.upper() not in PUBLISHED_TYPES:
        raise FileTypeNotAllowed(file_type)


def admit_file(file: HostedFile | None, publisher: Uploader, limits: FileLimits) -> HostedFile:
    """The file, when it may be shown. `file` is None when the publisher may not know of it.

    Raises UnusableFile, or NotJudgedYet while there is no verdict.
    """
    if file is None:
        raise UnusableFile
    if file.state is FileState.RECEIVED:
        raise NotJudgedYet
    if not file.state.may_be_served or file.size_bytes > limits.max_bytes(publisher):
        raise UnusableFile
    return file


def read_preview(preview: str | None, limits: FileLimits) -> Preview | None:
    """Decode a preview, given as data URI or bare base64; None when there is none of use: `""`, or no picture of ours.

    The label of the data URI is not believed: the bytes say what it is. Raises PreviewUnusable when it is too
    long or not base64.
    """
    if not preview:
        return None
    label = _DATA_URI.match(preview)
    encoded = preview[label.end() :] if label else preview
    # Four characters hold three bytes: what cannot fit is refused before it is decoded.
    if len(encoded) > (limits.preview_bytes + 2) // 3 * 4:
        raise PreviewUnusable(limits.preview_bytes)
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise PreviewUnusable(limits.preview_bytes) from None
    if len(data) >= limits.preview_bytes:
        raise PreviewUnusable(limits.preview_bytes)
    image_type = sniff_whole(data)
    return Preview(image_type, data) if image_type is not None else None


def preview_uri(preview: Preview) -> str:
    """What clients are sent: a data URI that says what the bytes are."""
    return f"data:{preview.image_type.content_type};base64,{base64.b64encode(preview.data).decode()}"


def is_uploader(who: Principal, file: HostedFile) -> bool:
    """Paths name agents by their old id, consumers by their id."""
    return file.account_id == who.account_id and file.uploader_id == (who.old_id or who.id)


def may_download(who: Principal, shown: PublishedIn, conversation: Conversation) -> bool:
    """A present participant of a conversation in which the file was shown; a consumer only publicly."""
    if who.is_consumer and not shown.is_public:
        return False
    return bool(conversation.roles_of(who.id))


def may_look_back(who: Principal, conversation: Conversation) -> bool:
    """Managers and administrators, once it is over and cannot be joined; bots see its events, not its files."""
    return (
        conversation.stage is State.CLOSE and not who.is_consumer and who.may(Privilege.MANAGE_CONVERSATIONS)
    )


def admit_resume_by_file(*, resume_depth: int, has_content: bool, from_widget: bool) -> None:
    """Refuse a file as the first content of a resumed conversation that may not begin so.

    `resume_depth` is the conversation's (2: resumes one that was itself a resume); `has_content` when
    it has content already. Raises FileMayNotResume. Source: docs/protocol.md 9.6, 9.8.
    """
    if has_content or resume_depth == 0:
        return
    if resume_depth > 1 or from_widget:
        raise FileMayNotResume
