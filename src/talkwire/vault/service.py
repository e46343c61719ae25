"""The vault: keys of files, consumers and accounts, and small values sealed under them."""

from collections.abc import Sequence

from talkwire.vault.model import FileKey, Holder


class Vault:
    """Makes, finds, shares and shreds keys. Made with `open`. Safe to use from several nodes on one key store."""

    async def create_file_key(self, account_id: str, holder: Holder) -> FileKey:
        """A new key for one file, wrapped for its uploader. The wrap is durable when it returns."""
        raise NotImplementedError

    async def file_key(self, account_id: str, key_id: str) -> bytes:
        """The key of a file. Raises KeyDestroyed, Tampered."""
        raise NotImplementedError

    async def share_file_key(self, account_id: str, key_id: str, holder: Holder) -> None:
        """Wrap a file's key for one more holder; the staging wrap goes at the first consumer.

        Repeating it writes nothing. Raises KeyDestroyed.
        """
        raise NotImplementedError

    async def shred_file_keys(self, account_id: str, key_ids: Sequence[str]) -> int:
        """Destroy all wraps of these files' keys; returns how many wraps there were. Gone from disk when it returns."""
        raise NotImplementedError

    async def shred_consumer(self, account_id: str, consumer_id: str) -> list[str]:
        """Destroy a consumer's key and every wrap under it; returns the file keys that nobody can open any more."""
        raise NotImplementedError

    async def seal(self, account_id: str, purpose: str, plain: bytes) -> bytes:
        """Encrypt a small value that another store keeps. Opens only for the same account and purpose."""
        raise NotImplementedError

    async def unseal(self, account_id: str, purpose: str, sealed: bytes) -> bytes:
        """What `seal` was given. Raises Tampered."""
        raise NotImplementedError

    async def seal_for(self, account_id: str, consumer_id: str, plain: bytes) -> bytes:
        """Encrypt a consumer's personal value: it becomes unreadable when the consumer is shredded."""
        raise NotImplementedError

    async def unseal_for(self, account_id: str, consumer_id: str, sealed: bytes) -> bytes | None:
        """What `seal_for` was given; None once the consumer's key is destroyed. Raises Tampered."""
        raise NotImplementedError

    async def rotate_account(self, account_id: str) -> None:
        """Give the account a new key, wrap everything beneath anew, destroy the old one. Traffic goes on."""
        raise NotImplementedError

    async def rotate_master(self) -> None:
        """Wrap all account keys with a new master key, destroy the old one. Traffic goes on."""
        raise NotImplementedError
