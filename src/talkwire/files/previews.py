"""Previews: sealed beside the file, never in the event; joined in when an event is sent."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

import structlog

from talkwire.backends.database.port import Database
from talkwire.files import store
from talkwire.files.model import HostedFile, Preview
from talkwire.files.rules import preview_uri
from talkwire.files.sealed import SealedObjects
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId
from talkwire.sanitation.sniff import ImageType
from talkwire.vault.errors import KeyDestroyed, Tampered

log = structlog.get_logger()

CAPACITY_BYTES = 32 * 1024 * 1024
NONE_FOR_MS = 10_000
"""How long "it has none" is believed: another node may publish the file with one."""

_AT_ONCE = 200
_ENTRY_BYTES = 300  # what an entry costs beside its text


class Rebuilder(Protocol):
    """What previews ask of sanitation."""

    async def rebuild_preview(self, data: bytes, max_bytes: int) -> tuple[bytes, ImageType] | None: ...


class Previews:
    """Data URIs by account and relative path; the ones in use in memory, up to so many bytes."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        objects: SealedObjects,
        rebuilder: Rebuilder | None,
        max_bytes: int,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        """`rebuilder` is None when nothing is rebuilt."""
        self._database = database
        self._clock = clock
        self._objects = objects
        self._rebuilder = rebuilder
        self._max_bytes = max_bytes
        self._capacity_bytes = capacity_bytes
        self._held_bytes = 0
        self._held: OrderedDict[tuple[AccountId, str], tuple[str, int]] = OrderedDict()

    @property
    def are_made(self) -> bool:
        """Whether a file may have a preview before anybody published it with one."""
        return self._rebuilder is not None

    async def make(self, claimed: Preview) -> Preview | None:
        """A publisher's own preview, made anew; None when it is of no use, or there is no time for it."""
        if self._rebuilder is None:
            return claimed
        try:
            made = await self._rebuilder.rebuild_preview(claimed.data, self._max_bytes)
        except Unavailable:
            return None
        return Preview(made[1], made[0]) if made is not None else None

    async def seal(self, file: HostedFile, preview: Preview) -> bytes:
        """As it is stored. Raises KeyDestroyed."""
        return await self._objects.seal_preview(file, preview.data)

    def find_held(self, account_id: AccountId, relative_path: str) -> str | None:
        """The data URI, `""` when the file has none; None when it has to be read (`list_for`)."""
        held = self._held.get((account_id, relative_path))
        if held is None:
            return None
        uri, at_ms = held
        if not uri and not 0 <= self._clock.now_ms() - at_ms < NONE_FOR_MS:
            return None
        self._held.move_to_end((account_id, relative_path))
        return uri

    async def list_for(self, account_id: AccountId, relative_paths: Iterable[str]) -> dict[str, str]:
        """Data URIs by path; a path without preview is left out."""
        wanted = list(dict.fromkeys(relative_paths))
        uris = {path: self.find_held(account_id, path) for path in wanted}
        missing = [path for path, uri in uris.items() if uri is None]
        for start in range(0, len(missing), _AT_ONCE):
            uris |= await self._read(account_id, missing[start : start + _AT_ONCE])
        return {path: uri for path, uri in uris.items() if uri}

    def hold(self, account_id: AccountId, relative_path: str, uri: str) -> None:
        """Keep what was read or just stored; `""` for none. One that is held stays, as in the table."""
        key = (account_id, relative_path)
        held = self._held.pop(key, None)
        if held is not None:
            self._held_bytes -= len(held[0]) + _ENTRY_BYTES
            uri = held[0] or uri
        self._held[key] = (uri, self._clock.now_ms())
        self._held_bytes += len(uri) + _ENTRY_BYTES
        while self._held_bytes > self._capacity_bytes:
            _, (dropped, _) = self._held.popitem(last=False)
            self._held_bytes -= len(dropped) + _ENTRY_BYTES

    def replace(self, account_id: AccountId, relative_path: str, uri: str) -> None:
        """Keep a newer one in place of what is held."""
        self.forget(account_id, relative_path)
        self.hold(account_id, relative_path, uri)

    def forget(self, account_id: AccountId, relative_path: str) -> None:
        held = self._held.pop((account_id, relative_path), None)
        if held is not None:
            self._held_bytes -= len(held[0]) + _ENTRY_BYTES

    async def _read(self, account_id: AccountId, relative_paths: list[str]) -> dict[str, str]:
        uris = dict.fromkeys(relative_paths, "")
        for row in await store.list_previews(self._database, account_id, relative_paths):
            try:
                data = await self._objects.open_preview(account_id, row.relative_path, row.key_id, row.sealed)
            except KeyDestroyed:
                continue  # erased this moment
            except Tampered:  # not a reason to withhold a whole past
                log.error("a stored preview was altered", account=account_id, key=row.key_id)  # noqa: TRY400
                continue
            uris[row.relative_path] = preview_uri(Preview(row.image_type, data))
        for path, uri in uris.items():
            self.hold(account_id, path, uri)
        return uris
