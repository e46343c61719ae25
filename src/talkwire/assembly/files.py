"""The room of files, put together."""

from dataclasses import dataclass, replace

from talkwire.assembly.foundation import Foundation
from talkwire.assembly.keys import KeyRooms
from talkwire.assembly.sanitation import open_sanitizer
from talkwire.assembly.scanner import scanner_of
from talkwire.audit.anchors import Anchors
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Database
from talkwire.backends.filestore.port import FileStore
from talkwire.backends.scanner.port import Scanner
from talkwire.backends.scanner.watched import WatchedScanner
from talkwire.files.access import Access, ConversationViews, Switches
from talkwire.files.allowance import Allowance
from talkwire.files.arrivals import Arrivals
from talkwire.files.claims import Claims
from talkwire.files.entering import Entering
from talkwire.files.erasing import Erasing
from talkwire.files.jobs import jobs
from talkwire.files.judging import Judge
from talkwire.files.leftovers import Leftovers
from talkwire.files.memory import InMemory
from talkwire.files.model import FileLimits
from talkwire.files.previews import Previews
from talkwire.files.publications import Publications
from talkwire.files.quotas import Quotas
from talkwire.files.receiving import Receiving
from talkwire.files.register import FileRegister
from talkwire.files.renditions import Renditions
from talkwire.files.retention import Retention
from talkwire.files.sealed import SealedObjects
from talkwire.files.service import Files
from talkwire.files.serving import Serving
from talkwire.files.settling import Settling
from talkwire.files.showing import Showing
from talkwire.files.slots import SlotBook, UploadsUnderWay
from talkwire.files.storage import FileStorage
from talkwire.files.sweeping import Sweeping
from talkwire.files.temp_urls import TempUrls
from talkwire.files.verdicts import Verdicts
from talkwire.kernel.clock import Clock
from talkwire.kernel.jobs import Job
from talkwire.kernel.tasks import Tasks
from talkwire.ops.metrics import Metrics
from talkwire.sanitation.model import Wish
from talkwire.sanitation.service import Sanitizer
from talkwire.settings import Files as FileSettings
from talkwire.settings import Scanner as ScannerSettings
from talkwire.vault.service import Vault

LANES = 4
"""Files judged at once."""


@dataclass(frozen=True)
class FileGround:
    """What the room stands on. `sanitizer` is None when nothing is rebuilt, `scanner` when there is none."""

    database: Database
    store: FileStore
    vault: Vault
    trail: Trail
    anchors: Anchors
    clock: Clock
    tasks: Tasks
    switches: Switches
    conversations: ConversationViews
    sanitizer: Sanitizer | None
    scanner: Scanner | None
    limits: FileLimits
    wish: Wish
    lanes: int = LANES


@dataclass(frozen=True)
class FileRooms:
    files: Files
    uploads: Receiving
    downloads: Serving
    showing: Showing
    publications: Publications
    verdicts: Verdicts
    previews: Previews
    judge: Judge
    leftovers: Leftovers
    erasing: Erasing
    retention: Retention
    sweeping: Sweeping
    sanitizer: Sanitizer | None
    scanner: WatchedScanner | None = None

    def jobs(self) -> list[Job]:
        return jobs(self.retention, self.sweeping, self.leftovers)

    def watch(self, metrics: Metrics) -> None:
        judge = self.judge
        metrics.watch(
            "files_waiting", "Files that wait for their verdict on this node.", lambda: judge.waiting
        )
        metrics.watch(
            "files_stalled",
            "Files that cannot be judged now because the scanner or the disk does not answer: more than 0 is an alarm.",
            lambda: judge.stalled,
        )

    async def close(self) -> None:
        if self.sanitizer is not None:
            await self.sanitizer.close()


async def open_files(
    base: Foundation, keys: KeyRooms, store: FileStore, switches: Switches, conversations: ConversationViews
) -> FileRooms:
    """Starts the workers that rebuild pictures."""
    settings = base.settings.files
    sanitizer = await open_sanitizer(base) if settings.rebuild else None
    scanner = scanner_of(base.settings.scanner)
    rooms = file_rooms(
        FileGround(
            database=base.database,
            store=store,
            vault=keys.vault,
            trail=keys.trail,
            anchors=keys.anchors,
            clock=base.clock,
            tasks=base.tasks,
            switches=switches,
            conversations=conversations,
            sanitizer=sanitizer,
            scanner=scanner,
            limits=limits_of(settings),
            wish=Wish(
                jpeg_quality=settings.jpeg_quality,
                png_compression=settings.png_compression,
                preview_bytes=settings.preview_bytes,
            ),
            lanes=lanes_for(base.settings.scanner),
        )
    )
    return replace(rooms, scanner=scanner)


def lanes_for(scanner: ScannerSettings) -> int:
    """How many fresh files are judged at once: with those that are slow or failed they fill the scanner's places."""
    return max(1, min(LANES, scanner.clamd_scans // 2)) if scanner.clamd else LANES


def limits_of(numbers: FileSettings) -> FileLimits:
    return FileLimits(
        consumer_file_bytes=numbers.consumer_file_bytes,
        agent_file_bytes=numbers.agent_file_bytes,
        preview_bytes=numbers.preview_bytes,
        rebuild=numbers.rebuild,
        verdict_seconds=numbers.verdict_seconds,
        orphan_seconds=numbers.orphan_seconds,
        slot_seconds=numbers.slot_seconds,
        consumer_slots=numbers.consumer_slots,
        brand_slots=numbers.brand_slots,
        consumer_slots_per_minute=numbers.consumer_slots_per_minute,
        brand_slots_per_minute=numbers.brand_slots_per_minute,
        upload_bytes_per_second=numbers.upload_bytes_per_second,
        upload_slow_seconds=numbers.upload_slow_seconds,
        upload_seconds=numbers.upload_seconds,
    )


def file_rooms(ground: FileGround) -> FileRooms:
    """Nothing runs yet: `judge.run` and the jobs are started by whoever opens the node."""
    database, clock, trail, limits = ground.database, ground.clock, ground.trail, ground.limits
    objects = SealedObjects(ground.store, ground.vault)
    register = FileRegister(database, clock)
    access = Access(ground.switches, ground.conversations, register)
    verdicts = Verdicts(register, limits.verdict_seconds)
    previews = Previews(database, clock, objects, ground.sanitizer, limits.preview_bytes)
    leftovers = Leftovers(ground.store, ground.vault, ground.tasks)
    quotas = Quotas(database, clock, ground.switches)
    memory = InMemory(register, previews, verdicts)
    judge = Judge(
        Claims(database, clock),
        Renditions(objects, ground.sanitizer, ground.scanner, ground.switches, limits, ground.wish),
        Settling(database, trail, memory, quotas, leftovers),
        ground.tasks,
        lanes=ground.lanes,
    )
    allowance = Allowance(SlotBook(limits), quotas, clock, limits)
    urls = TempUrls(database, clock, limits.slot_seconds, ground.vault)
    arrivals = Arrivals(UploadsUnderWay(limits), ground.vault, register, leftovers, clock)
    entering = Entering(register, trail, judge, allowance, leftovers)
    receiving = Receiving(urls, arrivals, entering, trail, limits)
    serving = Serving(urls, register, verdicts, ground.vault, trail)
    storage = FileStorage(objects.store, receiving, serving, limits)
    files = Files(access, allowance, urls, storage, trail)
    showing = Showing(access, previews, ground.vault, trail, limits)
    publications = Publications(trail, memory)
    erasing = Erasing(database, ground.store, ground.vault, trail, memory)
    retention = Retention(database, clock, ground.switches, erasing, ground.anchors, limits.orphan_seconds)
    sweeping = Sweeping(database, ground.store, ground.vault, ground.anchors, clock)
    return FileRooms(
        files,
        receiving,
        serving,
        showing,
        publications,
        verdicts,
        previews,
        judge,
        leftovers,
        erasing,
        retention,
        sweeping,
        ground.sanitizer,
    )
