"""The nouns of files."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from talkwire.audit.model import Sealed
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId
from talkwire.sanitation.sniff import ImageType

MIB = 1024 * 1024


class FileState(StrEnum):
    """Where a file is in its life. A slot has no row: it becomes one with the first complete PUT."""

    RECEIVED = "received"  # on disk, not judged yet
    CLEAN = "clean"  # judged: may be published
    REJECTED = "rejected"  # judged: never served
    PUBLISHED = "published"
    ERASING = "erasing"  # on its way out: nobody is given it any more, and nothing brings it back

    @property
    def may_be_served(self) -> bool:
        return self in {FileState.CLEAN, FileState.PUBLISHED}


class Uploader(StrEnum):
    """Whose limits count."""

    CONSUMER = "consumer"
    AGENT = "agent"  # agents and bots


class FileLimits(msgspec.Struct, frozen=True):
    """Sizes in bytes, times in seconds. Source: docs/protocol.md 9.6."""

    consumer_file_bytes: int = 3 * MIB
    agent_file_bytes: int = 5 * MIB
    preview_bytes: int = 30 * 1024  # a preview is smaller than this
    file_types: frozenset[str] = frozenset({"JPG", "JPEG", "PNG", "GIF"})
    rebuild: bool = True  # False is for measuring: then a sound header and an end are enough
    verdict_seconds: float = 8  # how long a publish waits for the verdict
    orphan_seconds: int = 86_400  # a file that was never published goes after this
    slot_seconds: int = 60
    consumer_slots: int = 5
    brand_slots: int = 200
    upload_bytes_per_second: int = 4 * 1024  # slower than this over `upload_slow_seconds` is cut
    upload_slow_seconds: float = 10
    upload_seconds: float = 120
    uploads: int = 2_000  # PUTs under way at once
    uploads_per_account: int = 1_000  # one brand's slow senders leave the others room
    uploads_per_slot: int = 4  # a client that lost its connection tries again while the old one lingers
    consumer_slots_per_minute: int = 300
    brand_slots_per_minute: int = 12_000

    def max_bytes(self, uploader: Uploader) -> int:
        return self.agent_file_bytes if uploader is Uploader.AGENT else self.consumer_file_bytes

    def max_slots(self, uploader: Uploader) -> int:
        return self.brand_slots if uploader is Uploader.AGENT else self.consumer_slots

    def max_uploads(self, uploader: Uploader) -> int:
        """PUTs of one uploader under way at once: all that its slots allow, and no more under spent ones."""
        return self.max_slots(uploader) * self.uploads_per_slot

    def max_slots_per_minute(self, uploader: Uploader) -> int:
        return self.brand_slots_per_minute if uploader is Uploader.AGENT else self.consumer_slots_per_minute


class UploadClaim(NamedTuple):
    """What a client says it is going to send."""

    size_bytes: int
    file_type: str


class TempUrl(NamedTuple):
    """Leave to PUT or GET one path until `expires` (unix seconds; a string on the wire)."""

    relative_path: str
    signature: str
    expires: int


class Asker(NamedTuple):
    """Who asked for a download URL."""

    id: str  # as `Principal.id`
    is_consumer: bool


class Preview(NamedTuple):
    """A small picture of a file, by its bytes an image."""

    image_type: ImageType
    data: bytes


class SealedPreview(NamedTuple):
    """A preview as it is stored."""

    relative_path: str
    key_id: str
    image_type: ImageType
    sealed: bytes


class HostedFileMessage(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """`message` of a `hosted/file` content event."""

    relative_path: str
    file_type: str
    caption: str | None = None
    preview: str | None = None


class PublishedIn(NamedTuple):
    """A conversation in which a file was shown; `is_public` when consumers saw it too (audience ALL)."""

    conversation_id: ConversationId
    is_public: bool


class HostedFile(msgspec.Struct, frozen=True):
    """A file that was received whole. What is served of it is known once it is clean."""

    account_id: AccountId
    relative_path: str
    object_key: str  # in the file store; empty when it was rejected: nothing of it is left
    key_id: str  # of the key that everything of it is encrypted under
    uploader_id: ParticipantId  # as it stands in the path: a consumer's id, an agent's old id
    uploader: Uploader
    state: FileState
    size_bytes: int  # as uploaded
    sha256: str  # as uploaded
    served_bytes: int
    served_sha256: str
    image_type: ImageType | None  # by its bytes; None when it is no image of ours, or nobody looked yet
    received_at_ms: int
    reason: str = ""  # why it was rejected, or is erased
    published_in: tuple[PublishedIn, ...] = ()  # newest first, RECENT_PUBLICATIONS at most

    @property
    def name(self) -> tuple[AccountId, str]:
        """What everything that is kept by file is kept under."""
        return self.account_id, self.relative_path

    @property
    def received_etag(self) -> str:
        return self.sha256[:32]

    @property
    def etag(self) -> str:
        """Of what is served."""
        return self.served_sha256[:32]

    @property
    def content_type(self) -> str:
        """Never the uploader's word."""
        return self.image_type.content_type if self.image_type else "application/octet-stream"


RECENT_PUBLICATIONS = 32
"""How many publications a `HostedFile` remembers; a bot may show one logo in every conversation."""


class Publication(NamedTuple):
    """A file that may be shown: admitted, not yet recorded."""

    account_id: AccountId
    conversation_id: ConversationId
    publisher_id: ParticipantId
    file: HostedFile
    message: HostedFileMessage  # what the event keeps: without preview
    consumer_id: ParticipantId  # whose conversation it is
    preview: Preview | None  # the publisher's own, when it brought a usable one
    record: Sealed  # for the audit
    sealed_preview: bytes = b""


class Claim(NamedTuple):
    """Which node has a file in hand, and until when nobody else takes it."""

    node: str
    until_ms: int


class Verdict(NamedTuple):
    """What judging a file came to. Clean: `reason` is empty and the rest says what is served."""

    state: FileState
    reason: str = ""
    object_key: str = ""
    served_bytes: int = 0
    served_sha256: str = ""
    image_type: ImageType | None = None
    preview: Preview | None = None
    sealed_preview: bytes = b""
    rebuilt: bool = False  # what is served was made anew
    scanned: bool = False  # a scanner saw all of it, and gave an answer


class Received(NamedTuple):
    """What a PUT is answered with."""

    etag: str
    received_at_ms: int
