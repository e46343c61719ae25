"""A file whose bytes and key are on disk gets its row: then, and only then, was it received."""

from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Transaction
from talkwire.files.allowance import Allowance
from talkwire.files.errors import TempUrlInvalid
from talkwire.files.judging import Judge
from talkwire.files.leftovers import Leftovers
from talkwire.files.model import FileState, HostedFile, Received
from talkwire.files.register import FileRegister
from talkwire.files.rules import as_received, consumer_of, judged
from talkwire.kernel.errors import TalkwireError


class Entering:
    """Wins slots for files, and hands files on to the judge."""

    def __init__(
        self, register: FileRegister, trail: Trail, judge: Judge, allowance: Allowance, leftovers: Leftovers
    ) -> None:
        self._register = register
        self._trail = trail
        self._judge = judge
        self._allowance = allowance
        self._leftovers = leftovers

    async def enter(self, file: HostedFile, opened_at_ms: int) -> Received:
        """Win the slot that was opened then, or find that it was spent: then our object is one too many.

        Whoever is cancelled in the commit leaves object and key: a row may hold them. If none does, they are swept.
        Raises TempUrlInvalid when the slot was spent with other bytes.
        """
        if not self._judge.is_needed:
            file = self._judged_at_once(file)
        try:
            record = await self._trail.seal(*_records(file))
        except BaseException:
            self._leftovers.drop(file)
            raise

        async def also(tx: Transaction) -> None:
            await self._trail.write(tx, record)

        try:
            entered = await self._register.enter(file, self._judge.claim(), also)
        except TalkwireError:
            await self._drop_unless_entered(file)
            raise
        if entered.key_id != file.key_id:
            self._leftovers.drop(file)
            return repeated(entered, file.sha256)
        self._allowance.spend(file, opened_at_ms)
        if file.state is FileState.RECEIVED:
            self._judge.take(file)
        return Received(file.received_etag, file.received_at_ms)

    def _judged_at_once(self, file: HostedFile) -> HostedFile:
        found = judged(file, as_received(file))
        if not found.object_key:
            self._leftovers.drop_object(file.object_key)
        return found

    async def _drop_unless_entered(self, file: HostedFile) -> None:
        """A commit may have failed without our knowing how: remove the object only if no row holds it."""
        found = await self._register.find(*file.name, fresh=True)
        if found is None or found.key_id != file.key_id:
            self._leftovers.drop(file)


def repeated(entered: HostedFile, sha256: str) -> Received:
    """The answer to one more complete PUT. Raises TempUrlInvalid when it brought other bytes."""
    if entered.sha256 != sha256:
        raise TempUrlInvalid
    return Received(entered.received_etag, entered.received_at_ms)


def _records(file: HostedFile) -> list[Entry]:
    consumer_id = consumer_of(file.uploader, file.uploader_id)
    received = Entry(
        file.account_id,
        Act.RECEIVED,
        file.relative_path,
        consumer_id,
        actor=file.uploader_id,
        detail={"bytes": file.size_bytes, "sha256": file.sha256},
    )
    if file.state is FileState.RECEIVED:
        return [received]
    verdict: dict[str, Scalar] = {
        "verdict": file.state.value,
        "reason": file.reason,
        "bytes": file.served_bytes,
        "rebuilt": False,
        "scanned": False,
    }
    return [received, Entry(file.account_id, Act.JUDGED, file.relative_path, consumer_id, detail=verdict)]
