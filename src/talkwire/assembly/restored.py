"""Looking through restored data with its keys: every file opened, every audit trail walked."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from talkwire.assembly.foundation import open_database
from talkwire.assembly.keys import key_store_of, masters_of
from talkwire.audit.verification import verify
from talkwire.backends.database.port import Database
from talkwire.backends.filestore.localdisk import LocalDisk
from talkwire.backends.filestore.port import ObjectMissing
from talkwire.files.model import HostedFile
from talkwire.files.sealed import SealedObjects
from talkwire.files.store import find_file
from talkwire.kernel.clock import SystemClock
from talkwire.kernel.ids import AccountId
from talkwire.settings import Settings
from talkwire.vault.errors import KeyDestroyed, MasterKeyWrong, Tampered
from talkwire.vault.service import Vault

PAGE = 500


@dataclass
class _Looking:
    database: Database
    vault: Vault
    objects: SealedObjects
    without_key: int = 0


class Looked(NamedTuple):
    """What is wrong, in words; and how many files nobody can open: erased or expired since the backup was made,

    or uploaded since, when the keys are older than the data.
    """

    wrong: list[str]
    without_key: int


async def look_through(settings: Settings) -> Looked:
    """Open every file, walk every trail."""
    try:
        async with _opened(settings) as looking:
            wrong = [*await _wrong_files(looking), *await _wrong_trails(looking)]
            return Looked(wrong, looking.without_key)
    except MasterKeyWrong as error:
        return Looked([f"the keys do not fit: {error}"], 0)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Looking]:
    database = await open_database(settings)
    try:
        await database.migrate()
        key_store = await key_store_of(settings, database)
        try:
            vault = await Vault.open(key_store, masters_of(settings), SystemClock())
            disk = await LocalDisk.open(settings.storage.data_path / "files")
            try:
                yield _Looking(database, vault, SealedObjects(disk, vault))
            finally:
                await disk.close()
        finally:
            await key_store.close()
    finally:
        await database.close()


async def _wrong_files(looking: _Looking) -> list[str]:
    wrong: list[str] = []
    after = ("", "")
    while rows := await looking.database.read(
        "SELECT account_id, relative_path FROM files WHERE object_key <> ''"
        " AND (account_id > $1 OR (account_id = $1 AND relative_path > $2))"
        " ORDER BY account_id, relative_path LIMIT $3",
        *after,
        PAGE,
    ):
        wrong += await _wrong_of(looking, [(row["account_id"], row["relative_path"]) for row in rows])
        after = (rows[-1]["account_id"], rows[-1]["relative_path"])
    return wrong


async def _wrong_of(looking: _Looking, names: Sequence[tuple[str, str]]) -> list[str]:
    wrong = []
    for account_id, path in names:
        file = await find_file(looking.database, AccountId(account_id), path)
        if file is not None and (said := await _wrong_file(looking, file)):
            wrong.append(f"{path}: {said}")
    return wrong


async def _wrong_file(looking: _Looking, file: HostedFile) -> str:
    """What was received and not judged yet is whole by the upload's size, the rest by what is served."""
    try:
        await looking.objects.read_whole(file, file.served_bytes or file.size_bytes)
    except KeyDestroyed:
        looking.without_key += 1
        return ""  # erased since: the next start does the rest
    except ObjectMissing:
        return "its object is missing"
    except Tampered as error:
        return f"it does not open: {error}"
    return ""


async def _wrong_trails(looking: _Looking) -> list[str]:
    rows = await looking.database.read("SELECT account_id FROM accounts ORDER BY account_id")
    wrong = []
    for row in rows:
        report = await verify(looking.database, row["account_id"])
        wrong += [f"audit of {row['account_id']}: {one.number} {one.what}" for one in report.findings]
    return wrong
