"""From what was uploaded to what is served: scanned as it came, rebuilt, and sealed as a new object."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

from talkwire.accounts.properties import AGENT_LONG_SIDE, CONSUMER_LONG_SIDE, Property
from talkwire.backends.scanner.port import NoAnswer, Scanner, Unscannable
from talkwire.files.model import FileLimits, FileState, HostedFile, Preview, Uploader, Verdict
from talkwire.files.rules import as_received, most_served_bytes
from talkwire.files.sealed import Place, SealedObjects
from talkwire.kernel.ids import AccountId, new_growing_id
from talkwire.sanitation.errors import Rejected
from talkwire.sanitation.model import Rebuilt, Wish
from talkwire.sanitation.service import Sanitizer

MALWARE = "malware"
UNSCANNABLE = "could not be scanned"
HURRY_SECONDS = 2.0
"""Most scans take far less: one that takes longer has to go on where no other file is behind it."""

PROBE = b"talkwire asks whether files are scanned at all"


class Properties(Protocol):
    """What is asked of accounts here."""

    async def value(self, account_id: AccountId, prop: Property) -> bool | int | str: ...


class Renditions:
    """Gives the verdict on a file, and makes what is served of it."""

    def __init__(
        self,
        objects: SealedObjects,
        sanitizer: Sanitizer | None,
        scanner: Scanner | None,
        properties: Properties,
        limits: FileLimits,
        wish: Wish,
    ) -> None:
        """`sanitizer` is None when nothing is rebuilt, `scanner` when there is none."""
        self._objects = objects
        self._sanitizer = sanitizer
        self._scanner = scanner
        self._properties = properties
        self._limits = limits
        self._wish = wish

    @property
    def are_needed(self) -> bool:
        """False when what was received is served as it is."""
        return self._sanitizer is not None or self._scanner is not None

    async def judge(self, file: HostedFile, step_aside: Callable[[], bool]) -> Verdict:
        """Nothing is committed yet: who throws this away deletes its object.

        `step_aside` is asked, once, when the scan takes long; if it says no the scan is given up. Raises
        Unavailable when there can be no verdict now (scanner down, no room; NoAnswer when the scanner had
        the file and was silent), ObjectMissing and KeyDestroyed when the file went away, Tampered.
        """
        if self._scanner is None:
            return await self._rebuild(file)
        try:
            found = await self._scan_in_time(file, self._scanner, step_aside)
        except Unscannable as error:
            return Verdict(FileState.REJECTED, f"{UNSCANNABLE}: {error}"[:200])
        if found:
            return Verdict(FileState.REJECTED, found[:200], scanned=True)
        return (await self._rebuild(file))._replace(scanned=True)

    async def _rebuild(self, file: HostedFile) -> Verdict:
        if self._sanitizer is None:
            return as_received(file)
        try:
            rebuilt = await self._sanitizer.rebuild(
                lambda: self._objects.read_whole(file, file.size_bytes), await self._wish_for(file)
            )
        except Rejected as rejected:
            return Verdict(FileState.REJECTED, rejected.reason.value)
        return await self._keep(file, rebuilt)

    async def probe(self) -> None:
        """Whether the scanner has an answer for what is harmless. Raises ScannerDown when it has none.

        Not a ping: clamd answers one while all its threads hang.
        """

        async def harmless() -> AsyncIterator[bytes]:
            yield PROBE

        if self._scanner is not None:
            with suppress(Unscannable):  # an answer, too
                await self._scanner.scan(harmless())

    async def _scan_in_time(self, file: HostedFile, scanner: Scanner, step_aside: Callable[[], bool]) -> str:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:

                def hurry() -> None:
                    if not step_aside():
                        limit.reschedule(loop.time())

                late = loop.call_later(HURRY_SECONDS, hurry)
                try:
                    return await self._scan(file, scanner)
                finally:
                    late.cancel()
        except TimeoutError:
            raise NoAnswer("no answer while others wait") from None

    async def _scan(self, file: HostedFile, scanner: Scanner) -> str:
        """Why it is not let through; empty when it is. Raises Unscannable, which is never a pass."""
        # an object that is at hand is never larger than a role's limit; the scanner sees it as it came
        found = await scanner.scan(self._objects.read(file, 0, file.size_bytes, file.size_bytes))
        return "" if found.clean else f"{MALWARE}: {found.name}"

    async def discard(self, verdict: Verdict) -> None:
        """Remove the object of a verdict that came too late."""
        if verdict.object_key:
            await self._objects.delete(verdict.object_key)

    async def _keep(self, file: HostedFile, rebuilt: Rebuilt) -> Verdict:
        preview = Preview(rebuilt.preview_type, rebuilt.preview) if rebuilt.preview else None
        sealed_preview = await self._objects.seal_preview(file, preview.data) if preview else b""
        object_key = new_growing_id(file.received_at_ms)
        stored = await self._objects.put_whole(Place(*file.name, object_key), file.key_id, rebuilt.image)
        return Verdict(
            FileState.CLEAN,
            object_key=object_key,
            served_bytes=stored.size_bytes,
            served_sha256=stored.sha256,
            image_type=rebuilt.image_type,
            preview=preview,
            sealed_preview=sealed_preview,
            rebuilt=True,
        )

    async def _wish_for(self, file: HostedFile) -> Wish:
        prop = AGENT_LONG_SIDE if file.uploader is Uploader.AGENT else CONSUMER_LONG_SIDE
        value = await self._properties.value(file.account_id, prop)
        wish = self._wish
        return Wish(
            long_side=max(0, int(value)),
            jpeg_quality=wish.jpeg_quality,
            png_compression=wish.png_compression,
            preview_bytes=wish.preview_bytes,
            preview_side=wish.preview_side,
            image_bytes=most_served_bytes(file, self._limits),
        )
