"""The register of hosted files: rows in the database, the ones in use in memory.

What is in memory may lack what another node added a moment ago: whoever is about to refuse looks again
with `fresh=True`.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec

from talkwire.backends.database.port import Database, Transaction
from talkwire.files import store
from talkwire.files.model import (
    RECENT_PUBLICATIONS,
    Claim,
    FileState,
    HostedFile,
    Publication,
    PublishedIn,
)
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ParticipantId

MAX_AGE_MS = 10_000
_CAPACITY = 50_000


class FileRegister:
    """Finds files by account and relative path."""

    def __init__(self, database: Database, clock: Clock, capacity: int = _CAPACITY) -> None:
        self._database = database
        self._clock = clock
        self._capacity = capacity
        self._reads: dict[tuple[AccountId, str], set[object]] = {}  # under way, and nothing changed meanwhile
        self._held: OrderedDict[tuple[AccountId, str], tuple[HostedFile, int]] = OrderedDict()

    async def find(
        self, account_id: AccountId, relative_path: str, *, fresh: bool = False
    ) -> HostedFile | None:
        held = None if fresh else self.find_held((account_id, relative_path))
        if held is not None:
            return held
        now_ms, read = self._clock.now_ms(), object()
        self._reads.setdefault((account_id, relative_path), set()).add(read)
        try:
            file = await store.find_file(self._database, account_id, relative_path)
        finally:
            is_latest = self._end_read((account_id, relative_path), read)
        if is_latest:  # otherwise it may have been read before what changed meanwhile
            if file is None:
                self._held.pop((account_id, relative_path), None)
            else:
                self._hold(file, now_ms)
        return file

    def find_held(self, name: tuple[AccountId, str]) -> HostedFile | None:
        """The file if it is in memory, and not too old."""
        held = self._held.get(name)
        if held is not None and 0 <= self._clock.now_ms() - held[1] < MAX_AGE_MS:
            return held[0]
        return None

    async def enter(
        self, file: HostedFile, claim: Claim, also: Callable[[Transaction], Awaitable[None]]
    ) -> HostedFile:
        """Make the row of a received file, and in the same unit `also` when it is the first.

        Gives back the row that stands then, which may be an earlier PUT's.
        """

        async def unit(tx: Transaction) -> HostedFile:
            entered = await store.insert_file(tx, file, claim)
            if entered is file:
                await also(tx)
            return entered

        entered = await self._database.write(unit)
        if entered is file:
            self.hold(file)
        return entered

    def hold(self, file: HostedFile) -> None:
        """Take note of what was committed about a file."""
        self._reads.pop(file.name, None)
        self._hold(file, self._clock.now_ms())

    def forget(self, name: tuple[AccountId, str]) -> None:
        """The file is gone, or on its way out."""
        self._reads.pop(name, None)
        self._held.pop(name, None)

    def show(self, publication: Publication, *, is_public: bool) -> None:
        """Take note that a publication was committed."""
        key = publication.file.name
        self._reads.pop(key, None)
        held = self._held.get(key)
        if held is None:
            return
        file, at_ms = held
        shown = PublishedIn(publication.conversation_id, is_public)
        if file.state is FileState.PUBLISHED and file.published_in[:1] == (shown,):
            return
        rest = tuple(earlier for earlier in file.published_in if earlier != shown)
        changed = msgspec.structs.replace(
            file, state=FileState.PUBLISHED, published_in=(shown, *rest)[:RECENT_PUBLICATIONS]
        )
        self._held[key] = (changed, at_ms)

    async def list_shown_to(self, file: HostedFile, participant_id: ParticipantId) -> list[PublishedIn]:
        """As `published_in`, complete for one participant."""
        return await store.list_shown_to(self._database, file.account_id, file.relative_path, participant_id)

    def _end_read(self, name: tuple[AccountId, str], read: object) -> bool:
        """Whether nothing was heard of the file since the read began."""
        reads = self._reads.get(name)
        if reads is None or read not in reads:
            return False
        reads.remove(read)
        if not reads:
            del self._reads[name]
        return True

    def _hold(self, file: HostedFile, now_ms: int) -> None:
        key = file.name
        self._held[key] = (file, now_ms)
        self._held.move_to_end(key)
        if len(self._held) > self._capacity:
            self._held.popitem(last=False)
