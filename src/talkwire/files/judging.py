"""The judge: takes received files one by one and settles what becomes of them, in the background.

A file is in one node's hands at a time (a claim that ends by itself). What a node received it judges itself;
what is left lying, because a node died or had too much, is found by whoever looks next.
"""

import asyncio
from contextvars import Context

from talkwire.backends.filestore.port import ObjectMissing
from talkwire.backends.scanner.port import NoAnswer, ScannerDown
from talkwire.files.claims import EVERY_CLAIM_MS, Claims
from talkwire.files.model import Claim, FileState, HostedFile, Verdict
from talkwire.files.renditions import UNSCANNABLE, Renditions
from talkwire.files.settling import Settling
from talkwire.files.turns import StepAside, Turns
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId
from talkwire.kernel.tasks import Tasks
from talkwire.vault.errors import KeyDestroyed, Tampered

LOOK_SECONDS = 5.0
"""How often claims are renewed, and files looked for that nobody has in hand."""

MOST_IN_HAND = 2_000
AT_ONCE = 200
RETRY_SECONDS = 1.0
MOST_RETRY_SECONDS = 60.0
SILENCES = 3
"""So often a scanner that answers for others may have no answer for a file."""

TAMPERED = "tampered with"
UNANSWERED = f"{UNSCANNABLE}: no answer in {SILENCES} tries"


class Judge:
    """Runs until it is cancelled; `take` hands it a file."""

    def __init__(
        self, claims: Claims, renditions: Renditions, settling: Settling, tasks: Tasks, *, lanes: int = 4
    ) -> None:
        """`lanes`: how many are judged at once."""
        self._claims = claims
        self._renditions = renditions
        self._settling = settling
        self._tasks = tasks
        self._turns = Turns(lanes)
        self._in_hand: set[tuple[AccountId, str]] = set()
        self._stalled: set[tuple[AccountId, str]] = set()
        self._apart: set[tuple[AccountId, str]] = set()  # of those in hand: they take no fresh file's room
        self._settled = 0

    @property
    def is_needed(self) -> bool:
        """False when files are judged as they are received."""
        return self._renditions.are_needed

    @property
    def waiting(self) -> int:
        """How many files are in hand."""
        return len(self._in_hand)

    @property
    def stalled(self) -> int:
        """Files whose verdict cannot be given now: the scanner is down, or the disk is full."""
        return len(self._stalled)

    def claim(self) -> Claim:
        """To be entered with a file that this node will `take`."""
        return self._claims.new()

    def take(self, file: HostedFile) -> None:
        """Judge a file that this node has claimed. One too many is left to whoever looks next."""
        if file.name not in self._in_hand and len(self._in_hand) - len(self._apart) < MOST_IN_HAND:
            self._in_hand.add(file.name)
            # a context of its own: it is not the uploader who judges
            Context().run(self._tasks.start, self._take(file), "files: judge")

    async def run(self, *, alone: bool) -> None:
        """Judge for ever. `alone`: no other node exists, so what is claimed was claimed by one that died."""
        await self.look(ended_by_ms=EVERY_CLAIM_MS if alone else None)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._renew()
            await self.look()

    async def look(self, ended_by_ms: int | None = None) -> int:
        """Take in hand what nobody has; returns how many that were."""
        room = min(AT_ONCE, MOST_IN_HAND - len(self._in_hand) + len(self._apart))
        if room < 1:
            return 0  # another node may have some
        try:
            won = await self._claims.win(self._in_hand, room, ended_by_ms)
        except Unavailable:
            return 0  # looked for again soon
        for file in won:
            self.take(file)
        return len(won)

    async def _renew(self) -> None:
        if not self._in_hand:
            return
        try:
            # not all that it claimed: what it could not take is anybody's
            await self._claims.renew(self._in_hand)
        except Unavailable:
            return  # they end; then somebody else may judge, and the first to settle counts

    async def _take(self, file: HostedFile) -> None:
        """A fault of ours ends here and is reported; the file is looked for again when its claim ends."""
        try:
            await self._judge(file)
        except (ObjectMissing, KeyDestroyed):
            self._settling.gone(file)
        finally:
            self._stalled.discard(file.name)
            self._apart.discard(file.name)
            self._in_hand.discard(file.name)

    async def _judge(self, file: HostedFile) -> None:
        """Until there is a verdict, however long it takes; between two tries the others have their turn.

        While they have theirs it is this file alone that the scanner does not answer for, or that the disk
        does not give back: then it is tried ever more seldom.
        """
        pause, settled = RETRY_SECONDS, self._settled
        while True:
            try:
                if await self._try(file):
                    return
            except NoAnswer:
                await self._judge_apart(file)
                return
            if self._settled > settled:
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_RETRY_SECONDS)
            settled = self._settled

    async def _try(self, file: HostedFile) -> bool:
        """Judge a file and settle it; False, after a pause, when there can be no verdict now. Raises NoAnswer."""
        async with self._turns.fresh() as step_aside:
            try:
                verdict = await self._verdict(file, step_aside)
            except NoAnswer:
                raise
            except Unavailable:
                # in its lane: a scanner that is down is not asked more often
                await asyncio.sleep(RETRY_SECONDS)
                return False
            await self._settle(file, verdict)
            self._settled += 1
        return True

    async def _judge_apart(self, file: HostedFile) -> None:
        """A file that the scanner was silent about. It counts as the file's fault when it answers for others.

        One too many is let go, and looked for again when its claim ends.
        """
        if len(self._apart) >= MOST_IN_HAND:
            return
        self._apart.add(file.name)
        silences = 0
        while silences < SILENCES:
            async with self._turns.apart() as step_aside:
                try:
                    await self._settle(file, await self._verdict(file, step_aside))
                except NoAnswer:
                    await self._until_it_answers()
                    silences += 1
                except Unavailable:
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    return
        await self._settle(file, Verdict(FileState.REJECTED, UNANSWERED))

    async def _until_it_answers(self) -> None:
        while True:
            try:
                await self._renditions.probe()
            except ScannerDown:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _verdict(self, file: HostedFile, step_aside: StepAside) -> Verdict:
        """Raises Unavailable when there can be none now."""
        try:
            return await self._renditions.judge(file, step_aside)
        except Tampered:
            return Verdict(FileState.REJECTED, TAMPERED)
        except Unavailable:
            self._stalled.add(file.name)
            raise

    async def _settle(self, file: HostedFile, verdict: Verdict) -> None:
        """However long it takes."""
        while True:
            try:
                return await self._settling.settle(file, verdict)
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
