"""What a verdict changes: the row and its record in one commit, then whatever is kept of the file besides."""

from talkwire.audit.model import Act, Entry
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Database, Transaction
from talkwire.files import judging_store as store
from talkwire.files.leftovers import Leftovers
from talkwire.files.memory import InMemory
from talkwire.files.model import HostedFile, Verdict
from talkwire.files.quotas import Quotas
from talkwire.files.rules import consumer_of, judged, preview_uri


class Settling:
    """The first verdict on a file is its verdict."""

    def __init__(
        self, database: Database, trail: Trail, memory: InMemory, quotas: Quotas, leftovers: Leftovers
    ) -> None:
        self._database = database
        self._trail = trail
        self._memory = memory
        self._quotas = quotas
        self._leftovers = leftovers

    async def settle(self, file: HostedFile, verdict: Verdict) -> None:
        """Commit a verdict, then tell who waits. One that came too late is thrown away. Raises Unavailable."""
        record = await self._trail.seal(_record(file, verdict))

        async def unit(tx: Transaction) -> bool:
            if not await store.settle(tx, file, verdict):
                return False
            await self._trail.write(tx, record)
            return True

        if await self._database.write(unit):
            self._settled(file, verdict)
        else:
            self._too_late(file, verdict)

    def gone(self, file: HostedFile) -> None:
        """It was erased meanwhile: no verdict is wanted any more."""
        self._memory.changed_elsewhere(file)

    def _settled(self, file: HostedFile, verdict: Verdict) -> None:
        settled = judged(file, verdict)
        self._quotas.count_grown(settled)
        self._memory.judged(settled, preview_uri(verdict.preview) if verdict.preview else "")
        if verdict.object_key != file.object_key:
            self._leftovers.drop_object(file.object_key)

    def _too_late(self, file: HostedFile, verdict: Verdict) -> None:
        if verdict.object_key != file.object_key:
            self._leftovers.drop_object(verdict.object_key)
        self._memory.changed_elsewhere(file)


def _record(file: HostedFile, verdict: Verdict) -> Entry:
    return Entry(
        file.account_id,
        Act.JUDGED,
        file.relative_path,
        consumer_id=consumer_of(file.uploader, file.uploader_id),
        detail={
            "verdict": verdict.state.value,
            "reason": verdict.reason,
            "bytes": verdict.served_bytes,
            "type": verdict.image_type.value if verdict.image_type else "",
            "rebuilt": verdict.rebuilt,
            "scanned": verdict.scanned,
        },
    )
