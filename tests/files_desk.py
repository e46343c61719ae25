"""A file desk for tests: real database, real disk, and the two things files asks of other rooms."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from talkwire.accounts.properties import AGENT_FILE_SHARING, CONSUMER_FILE_SHARING, Property
from talkwire.assembly.files import FileGround, FileRooms, file_rooms
from talkwire.audit.anchors import Anchors
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Database, Transaction
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.backends.filestore.localdisk import LocalDisk
from talkwire.backends.keystore.sqlite import SqliteKeyStore
from talkwire.backends.scanner.port import Scanner
from talkwire.conversations.errors import ConversationNotFound
from talkwire.conversations.model import (
    Conversation,
    Dialog,
    DialogType,
    Participant,
    ParticipantState,
    Role,
    Ttr,
    TtrType,
)
from talkwire.conversations.views import DialogLog, View
from talkwire.files.counter import Ask
from talkwire.files.model import FileLimits, HostedFileMessage, Publication, TempUrl, UploadClaim
from talkwire.files.service import Files
from talkwire.identity.model import Kind, Principal, Privilege
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId, ConversationId, DialogId, ParticipantId, SkillId
from talkwire.kernel.tasks import Tasks
from talkwire.sanitation.model import Wish
from talkwire.sanitation.service import Sanitizer
from talkwire.vault.masters import MasterFile
from talkwire.vault.service import Vault

ACCOUNT = AccountId("12345678")
CONSUMER = Principal(ACCOUNT, ParticipantId("0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5"), Kind.CONSUMER)
STRANGER = Principal(ACCOUNT, ParticipantId("f" * 64), Kind.CONSUMER)
AGENT = Principal(
    ACCOUNT,
    ParticipantId("aaaaaaaa-0000-4000-8000-000000000001"),
    Kind.AGENT,
    old_id="12345678.282467514",
    privileges=frozenset({Privilege.SEND_FILES}),
)
OTHER_AGENT = Principal(
    ACCOUNT, ParticipantId("aaaaaaaa-0000-4000-8000-000000000002"), Kind.AGENT, old_id="12345678.282467515"
)
MANAGER = Principal(
    ACCOUNT,
    ParticipantId("aaaaaaaa-0000-4000-8000-000000000003"),
    Kind.AGENT,
    old_id="12345678.282467516",
    privileges=frozenset({Privilege.SEE_ALL_CONVERSATIONS, Privilege.MANAGE_CONVERSATIONS}),
)
BOT = Principal(
    ACCOUNT,
    ParticipantId("aaaaaaaa-0000-4000-8000-000000000004"),
    Kind.AGENT,
    old_id="12345678.282467517",
    privileges=frozenset({Privilege.SEE_ALL_CONVERSATIONS, Privilege.SEND_FILES}),
)
TALK = ConversationId("c0ffee00-0000-4000-8000-000000000001")


def ask(url: TempUrl, method: str = "PUT") -> Ask:
    """What whoever holds this URL asks the storage endpoint."""
    return Ask(method, url.relative_path, url.signature, str(url.expires))


@dataclass
class Switchboard:
    """Every switch on, every feature granted, until a test says otherwise."""

    values: dict[str, bool | int | str] = field(
        default_factory=lambda: {CONSUMER_FILE_SHARING.name: True, AGENT_FILE_SHARING.name: True}
    )
    granted: bool = True

    async def value(self, account_id: AccountId, prop: Property) -> bool | int | str:
        return self.values.get(prop.name, prop.default)

    async def has_grant(self, account_id: AccountId, name: str) -> bool:
        return self.granted


@dataclass
class Talks:
    """Conversations by id."""

    by_id: dict[str, View] = field(default_factory=dict)

    async def view(self, account_id: AccountId, conversation_id: str) -> View:
        found = self.by_id.get(conversation_id)
        if found is None or found.conversation.account_id != account_id:
            raise ConversationNotFound
        return found

    def add(self, conversation: Conversation) -> None:
        logs = {dialog.dialog_id: DialogLog() for dialog in conversation.dialogs}
        self.by_id[conversation.conversation_id] = View(conversation, logs)


def conversation(
    *people: tuple[Principal, Role], conversation_id: str = TALK, suggested: Principal | None = None
) -> Conversation:
    participants = [Participant(who.id, role, who.old_id or who.id) for who, role in people]
    if suggested is not None:
        participants.append(
            Participant(suggested.id, Role.ASSIGNED_AGENT, suggested.old_id, ParticipantState.SUGGESTED)
        )
    return Conversation(
        account_id=ACCOUNT,
        conversation_id=ConversationId(conversation_id),
        consumer_id=CONSUMER.id,
        version=1,
        created_at_ms=0,
        updated_at_ms=0,
        ttr=Ttr(TtrType.NORMAL, 600),
        participants=tuple(participants),
        dialogs=(Dialog(DialogId(conversation_id), DialogType.MAIN, 0, 0),),
        skill_id=SkillId("-1"),
    )


@dataclass
class Desk:
    rooms: FileRooms
    ground: FileGround
    disk: LocalDisk
    folder: Path
    clock: MovableClock
    switches: Switchboard
    talks: Talks

    @property
    def files(self) -> Files:
        return self.rooms.files

    @property
    def database(self) -> Database:
        return self.ground.database

    def reopened(self, limits: FileLimits | None = None) -> Files:
        """The same data, as another process would see it."""
        return self.reopened_rooms(limits).files

    def reopened_rooms(self, limits: FileLimits | None = None) -> FileRooms:
        return file_rooms(replace(self.ground, limits=limits or self.ground.limits))

    async def slot(self, who: Principal, size_bytes: int = 1000, file_type: str = "PNG") -> TempUrl:
        return await self.files.open_upload(who, UploadClaim(size_bytes, file_type))

    async def put(self, url: TempUrl, data: bytes, files: Files | None = None) -> str:
        """Returns the Etag."""
        storage = (files or self.files).storage
        return (await storage.receive(ask(url), pieces(data))).etag

    async def uploaded(self, who: Principal, data: bytes) -> str:
        """The relative path of a file that `who` put."""
        url = await self.slot(who, max(1, len(data)))
        await self.put(url, data)
        return url.relative_path

    async def fetched(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """What the store serves under a path."""
        return await self.get(await self.files.urls.sign("GET", ACCOUNT, path), None, start, length)

    async def get(
        self, url: TempUrl, files: Files | None = None, start: int = 0, length: int | None = None
    ) -> bytes:
        """What the store serves under a URL."""
        storage = (files or self.files).storage
        opened = await storage.open(ask(url, "GET"))
        length = opened.file.served_bytes - start if length is None else length
        return b"".join([chunk async for chunk in storage.read(opened, start, length)])

    async def publish(
        self,
        who: Principal,
        path: str,
        *,
        preview: str | None = None,
        audience: str = "ALL",
        sequence: int = 0,
        conversation_id: ConversationId = TALK,
    ) -> Publication:
        """As messaging does it: judge, record in the event's unit, then show."""
        message = HostedFileMessage(path, "PNG", preview=preview)
        publications = self.rooms.publications
        publication = await self.rooms.showing.admit(who, conversation_id, CONSUMER.id, message)

        async def unit(tx: object) -> None:
            await publications.record(
                tx,  # type: ignore[arg-type]
                publication,
                dialog_id=conversation_id,
                sequence=sequence,
                audience=audience,
                at_ms=self.clock.now_ms(),
            )

        await self.database.write(unit, then=lambda _: publications.note(publication, audience=audience))
        return publication

    async def told(self, path: str, sequence: int, caption: str = "a cat") -> None:
        """Put the event that showed a file into the log, as messaging does."""
        message = {"relativePath": path, "fileType": "PNG", "caption": caption}
        event = msgspec.json.encode(
            {"type": "ContentEvent", "contentType": "hosted/file", "message": message}
        )

        async def unit(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO dialogs (account_id, dialog_id, conversation_id, version, last_sequence,"
                " last_event_at, last_content_sequence, owed_since) VALUES ($1, $2, $2, 1, 0, 0, 0, 0)"
                " ON CONFLICT DO NOTHING",
                ACCOUNT,
                TALK,
            )
            await tx.execute(
                "INSERT INTO logged_events (account_id, dialog_number, sequence, event_id, at, kind,"
                " originator_id, originator_role, audience, event) SELECT $1, number, $3, $4, 0, 'file', '', '',"
                " 'ALL', $5 FROM dialogs WHERE account_id = $1 AND dialog_id = $2",
                ACCOUNT,
                TALK,
                sequence,
                f"event {sequence}",
                event,
            )

        await self.database.write(unit)

    async def held(self) -> set[tuple[str, str]]:
        """Account and id of every file key that somebody holds."""
        return set(await self.ground.vault.list_made(0, self.clock.now_ms() + 1))

    async def messages(self) -> list[dict[str, object]]:
        """What the log says of files."""
        rows = await self.database.read("SELECT event FROM events WHERE account_id = $1", ACCOUNT)
        return [msgspec.json.decode(bytes(row["event"]))["message"] for row in rows]

    async def rows(self) -> dict[str, int]:
        """How many rows speak of files, by table."""
        counts = {}
        for table in ("files", "file_previews", "file_publications"):
            counts[table] = (await self.database.read(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"]
        return counts

    def objects(self) -> list[Path]:
        return files_in(self.folder)

    async def until_objects(self, count: int) -> None:
        await until_files(self.folder, count)


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def until_files(folder: Path, count: int) -> None:
    """Wait until there are so many: what was given up is cleared away a moment later."""
    async with asyncio.timeout(5):
        while len(files_in(folder)) != count:  # noqa: ASYNC110 -- a folder rings no bell
            await asyncio.sleep(0.005)


async def pieces(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@contextlib.asynccontextmanager
async def opened_desk(
    folder: Path,
    database: Database,
    sanitizer: Sanitizer | None = None,
    scanner: Scanner | None = None,
    limits: FileLimits | None = None,
) -> AsyncIterator[Desk]:
    """A desk over real stores; without `sanitizer` a look at both ends of a file is its verdict."""
    disk = await LocalDisk.open(folder / "files", threads=2)
    (folder / "keys").mkdir(mode=0o700, exist_ok=True)
    keys = await SqliteKeyStore.open(folder / "keys")
    await keys.migrate()
    clock, switches, talks, tasks = MovableClock(), Switchboard(), Talks(), Tasks(_failed)
    vault = await Vault.open(keys, MasterFile(folder / "keys"), clock)
    talks.add(conversation((CONSUMER, Role.CONSUMER), (AGENT, Role.ASSIGNED_AGENT)))
    ground = FileGround(
        database=database,
        store=disk,
        vault=vault,
        trail=Trail(database, clock, vault),
        anchors=Anchors(database, keys, clock),
        clock=clock,
        tasks=tasks,
        switches=switches,
        conversations=talks,
        sanitizer=sanitizer,
        scanner=scanner,
        limits=limits or FileLimits(),
        wish=Wish(),
    )
    yield Desk(file_rooms(ground), ground, disk, folder / "files", clock, switches, talks)
    await tasks.close()
    await ground.trail.close()
    await keys.close()
    await disk.close()


def _failed(name: str, error: BaseException) -> None:
    raise AssertionError(f"{name} failed") from error


@pytest.fixture
async def desk(tmp_path: Path, sqlite_database: SqliteDatabase) -> AsyncIterator[Desk]:
    async with opened_desk(tmp_path, sqlite_database) as opened:
        yield opened
