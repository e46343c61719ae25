"""What forgets people, on real databases and a real vault: conversations, a shelf of files, a ledger beside the keys.

`FORGETTING` stops a run at a named step, as a kill would: what was committed stays, the rest is not done.
"""

import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from database import opened
from events import append, entry
from keys import opened_keys
from routing_rooms import ACCOUNT, Brand, consumer
from talkwire.audit.model import Entry
from talkwire.audit.service import Trail
from talkwire.backends.database.port import Database, T, Transaction, Unit
from talkwire.backends.keystore.port import KeyStore
from talkwire.conversations import rules as conversation_rules
from talkwire.conversations.model import Campaign, CloseReason, Conversation, NewConversation, Ttr, TtrType
from talkwire.history.erasing import Erasing
from talkwire.history.erasure import Erasures
from talkwire.history.erasure_check import ErasureCheck
from talkwire.history.erasure_model import ErasureTimes, RequestState
from talkwire.history.erasure_plan import Planner
from talkwire.history.erasure_runs import ErasureRuns, Workshop
from talkwire.history.erasure_store import is_erased
from talkwire.history.ledger import Ledger
from talkwire.history.receipt_keys import ReceiptKeys
from talkwire.kernel.clock import MovableClock
from talkwire.kernel.ids import AccountId, ParticipantId
from talkwire.vault.masters import MasterFile
from talkwire.vault.model import CONSUMER, Holder
from talkwire.vault.service import Vault


class Gone(NamedTuple):
    relative_path: str
    key_id: str
    size_bytes: int
    sha256: str


class Killed(Exception):
    """The process ended here."""


@dataclass
class Shelf:
    """Files as rows, keys and objects; erased as files promises: keys, objects, rows."""

    database: Database
    vault: Vault
    folder: Path
    dies_before: str = ""
    meanwhile: Callable[[], Awaitable[None]] | None = None  # what somebody does once an erasure is under way

    async def put(
        self,
        uploader: str,
        consumer_id: str,
        conversation_ids: Sequence[str] = (),
        *,
        is_brands: bool = False,
    ) -> str:
        """A file with its wrap for a consumer, shown in conversations; its path."""
        key = await self.vault.create_file_key(ACCOUNT, Holder(CONSUMER, consumer_id))
        object_key = os.urandom(16).hex()
        path = f"/v1/AUTH_async-images/{ACCOUNT}__{uploader}__{object_key}"
        self.folder.mkdir(exist_ok=True)
        (self.folder / object_key).write_bytes(key.secret)  # stands for what only the key opens

        async def unit(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO files (account_id, relative_path, object_key, key_id, uploader_id, uploader, state,"
                " reason, size_bytes, sha256, served_bytes, served_sha256, image_type, received_at, claimed_by,"
                " claimed_until) VALUES ($1, $2, $3, $4, $5, $6, 'published', '', 10, 'ab', 10, 'cd', 'png', 0, '', 0)",
                *(ACCOUNT, path, object_key, key.key_id, uploader, "agent" if is_brands else "consumer"),
            )
            for number, conversation_id in enumerate(conversation_ids):
                await tx.execute(
                    "INSERT INTO file_publications (account_id, relative_path, published_at, dialog_id, sequence,"
                    " conversation_id, audience, publisher_id) VALUES ($1, $2, $3, $4, 0, $4, 'ALL', $5)",
                    *(ACCOUNT, path, number, conversation_id, uploader),
                )

        await self.database.write(unit)
        return path

    async def list_of_conversations(
        self, account_id: AccountId, conversation_ids: Sequence[str]
    ) -> list[str]:
        rows = await self.database.read(
            "SELECT DISTINCT relative_path, conversation_id FROM file_publications WHERE account_id = $1",
            account_id,
        )
        return [row["relative_path"] for row in rows if row["conversation_id"] in conversation_ids]

    async def list_of_uploader(self, account_id: AccountId, consumer_id: str) -> list[str]:
        rows = await self.database.read(
            "SELECT relative_path FROM files WHERE account_id = $1 AND uploader_id = $2",
            account_id,
            consumer_id,
        )
        return [row["relative_path"] for row in rows]

    async def erase(self, account_id: AccountId, relative_paths: Sequence[str], reason: str) -> list[Gone]:
        gone = []
        if self.meanwhile is not None:
            await self.meanwhile()
        for path in relative_paths:
            rows = await self.database.read("SELECT * FROM files WHERE relative_path = $1", path)
            if not rows:
                continue
            self._step("keys")
            await self.vault.shred_file_keys(account_id, [rows[0]["key_id"]])
            self._step("objects")
            (self.folder / rows[0]["object_key"]).unlink(missing_ok=True)
            self._step("rows")

            async def unit(tx: Transaction, path: str = path) -> None:
                for table in ("files", "file_publications", "file_previews"):
                    await tx.execute(f"DELETE FROM {table} WHERE relative_path = $1", path)

            await self.database.write(unit)
            gone.append(Gone(path, rows[0]["key_id"], rows[0]["size_bytes"], rows[0]["sha256"]))
        self._step("the rest")
        return gone

    def forget_held(self, account_id: AccountId, relative_paths: Sequence[str]) -> None:
        """This shelf remembers nothing."""

    def _step(self, name: str) -> None:
        if self.dies_before == name:
            raise Killed(name)


@dataclass
class Noted:
    """The trail: what was recorded."""

    database: Database
    entries: list[Entry] = field(default_factory=list)

    async def record(self, *entries: Entry) -> None:
        self.entries += entries

    async def do(self, unit: Unit[T], *entries: Entry, then: Callable[[T], None] | None = None) -> T:
        result = await self.database.write(unit, then)
        self.entries += entries
        return result


@dataclass
class Forgetting:
    """The rooms; `died_before` is where the next run ends."""

    database: Database
    key_store: KeyStore
    vault: Vault
    folder: Path
    clock: MovableClock
    times: ErasureTimes = field(default_factory=lambda: ErasureTimes(0, 20))

    def __post_init__(self) -> None:
        self.brand = Brand(self.database, self.clock)
        self.shelf = Shelf(self.database, self.vault, self.folder / "objects")
        self.trail = Noted(self.database)
        self.receipt_keys = ReceiptKeys(self.key_store, self.clock, self.vault)
        self.ledger = Ledger(self.key_store)
        self.erasures = Erasures(self.database, self.clock, self.times, self.ledger, self.trail)
        self.check = ErasureCheck(self.database, self.vault)
        self.audit = Trail(self.database, self.clock, self.vault, is_erased)
        workshop = Workshop(
            Planner(self.database, self.shelf),
            Erasing(self.database, self.brand.conversations, self.shelf, self.vault, [self.audit.forget]),
            self.check,
            self.database,  # type: ignore[arg-type]
        )
        self.runs = ErasureRuns(
            self.database, self.clock, workshop, self.ledger, self.receipt_keys, self.trail
        )

    async def conversation(
        self, consumer_id: str = "", *texts: str, closed: bool = True, engagement: str = ""
    ) -> Conversation:
        """A conversation in which a consumer said this, with a note and something of its own."""
        who = ParticipantId(consumer_id) if consumer_id else consumer().id
        new = NewConversation(
            account_id=ACCOUNT,
            consumer_id=who,
            ttr=Ttr(TtrType.NORMAL, 600),
            campaign=Campaign("c", engagement) if engagement else None,
            context={"type": "SharkContext", "clientProperties": {"ipAddress": "10.9.8.7"}},
        )
        opened = (await self.brand.conversations.open(new)).conversation
        for text in texts:
            told = msgspec.json.encode({"type": "ContentEvent", "contentType": "text/plain", "message": text})
            said = entry(
                dialog_id=opened.conversation_id, account_id=ACCOUNT, event=told, originator_id=who, key=text
            )
            said.metadata, said.client_properties = b'[{"type":"x"}]', b'{"os":"y"}'
            await append(self.database, said)

        async def decide(found: Conversation, _tx: Transaction) -> Conversation:
            noted = msgspec.structs.replace(found, note=f"note on {who}", topic="topic")
            return (
                conversation_rules.close(noted, CloseReason.AGENT, self.clock.now_ms()) if closed else noted
            )

        return await self.brand.conversations.change(ACCOUNT, opened.conversation_id, decide)

    async def close(self, conversation_id: str) -> None:
        async def decide(found: Conversation, _tx: Transaction) -> Conversation:
            return conversation_rules.close(found, CloseReason.AGENT, self.clock.now_ms())

        await self.brand.conversations.change(ACCOUNT, conversation_id, decide)

    async def run(self, **subjects: list[str]) -> int:
        """Ask, and carry out at once; the request's id."""
        made = await self.erasures.request(ACCOUNT, subjects, "admin@brand")
        await self.runs.carry_out_due()
        return made.request_id

    async def texts(self, conversation_id: str) -> list[str]:
        rows = await self.database.read(
            "SELECT event FROM events WHERE account_id = $1 AND conversation_id = $2 ORDER BY sequence",
            ACCOUNT,
            conversation_id,
        )
        return [msgspec.json.decode(bytes(row["event"]))["message"] for row in rows]

    async def opens(self, path: str) -> bool:
        """Whether a file has a row, an object and a key."""
        rows = await self.database.read("SELECT * FROM files WHERE relative_path = $1", path)
        if not rows:
            return False
        secret = await self.vault.file_key(ACCOUNT, rows[0]["key_id"])
        return bool((self.shelf.folder / rows[0]["object_key"]).read_bytes() == secret)


async def state_of(rooms: Forgetting, request_id: int) -> RequestState:
    return (await rooms.erasures.get(ACCOUNT, request_id)).state


async def comes_again(rooms: Forgetting, who: str, text: str, *, closed: bool) -> tuple[str, str]:
    """A consumer signs in, talks and shows a file; its conversation and the path."""

    async def unit(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO consumers (account_id, consumer_id, profile, claims, updated_at)"
            " VALUES ($1, $2, '{}', '{}', 0) ON CONFLICT DO NOTHING",
            ACCOUNT,
            who,
        )

    await rooms.database.write(unit)
    talk = await rooms.conversation(who, text, closed=closed)
    return talk.conversation_id, await rooms.shelf.put(who, who, [talk.conversation_id])


async def receipt_of(rooms: Forgetting, request_id: int) -> dict[str, Any]:
    document = (await rooms.erasures.get_receipt(ACCOUNT, request_id)).receipt
    receipt: dict[str, Any] = json.loads(document)["receipt"]
    return receipt


@contextlib.asynccontextmanager
async def forgetting_in(
    folder: Path, clock: MovableClock, *, adapter: str = "sqlite", address: str = ""
) -> AsyncIterator[Forgetting]:
    """The rooms on folders that may have been used before: `data` and `keys`."""
    data, keys = folder / "data", folder / "keys"
    for place in (data, keys):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with (
        opened(adapter, address or str(data / "talkwire.db")) as database,
        opened_keys("sqlite", str(keys)) as key_store,
    ):
        vault = await Vault.open(key_store, MasterFile(keys), clock)
        yield Forgetting(database, key_store, vault, data, clock)


@pytest.fixture
async def forgetting(tmp_path: Path, any_address: tuple[str, str]) -> AsyncIterator[Forgetting]:
    adapter, address = any_address
    async with forgetting_in(tmp_path, MovableClock(), adapter=adapter, address=address) as rooms:
        yield rooms
