"""Taking files away for good: keys first, then objects, previews and rows; the events that showed them say so."""

from collections.abc import Sequence
from typing import NamedTuple

from talkwire.kernel.ids import AccountId


class ErasedFile(NamedTuple):
    """What was of a file that is gone: for receipts."""

    relative_path: str
    key_id: str
    object_key: str
    size_bytes: int
    sha256: str
    conversation_ids: tuple[str, ...]


class Erasing:
    """Finds and erases files."""

    async def list_of_conversations(
        self, account_id: AccountId, conversation_ids: Sequence[str]
    ) -> list[str]:
        """Relative paths that were published there."""
        raise NotImplementedError

    async def list_of_uploader(self, account_id: AccountId, consumer_id: str) -> list[str]:
        """Relative paths of everything that a consumer uploaded, published or not."""
        raise NotImplementedError

    async def erase(
        self, account_id: AccountId, relative_paths: Sequence[str], reason: str
    ) -> list[ErasedFile]:
        """Destroy these files; what is unknown is left out. Safe to run again after a crash.

        In this order: nobody is given them any more, keys destroyed, objects removed, then previews and rows,
        and their events say so. Verified: raises when something of them is still there.
        """
        raise NotImplementedError
