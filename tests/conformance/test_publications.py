"""Showing a file again, on every database: one statement, which an erasure is never passed by."""

import asyncio

import asyncpg
import pytest

from database import PostgresServer, new_postgres_database, opened
from talkwire.audit.model import Sealed
from talkwire.backends.database.port import Database, Transaction
from talkwire.files import erasing_store, store
from talkwire.files.model import (
    Claim,
    FileState,
    HostedFile,
    HostedFileMessage,
    Publication,
    Uploader,
)
from talkwire.kernel.ids import AccountId, ConversationId, ParticipantId

ACCOUNT, TALK, CONSUMER = AccountId("a"), ConversationId("talk"), ParticipantId("consumer")
NOW_MS = 1_700_000_000_000
FILE = HostedFile(
    ACCOUNT,
    "/path",
    "object",
    "key",
    CONSUMER,
    Uploader.CONSUMER,
    FileState.CLEAN,
    1,
    "",
    1,
    "",
    None,
    NOW_MS,
)
PUBLICATION = Publication(
    ACCOUNT, TALK, CONSUMER, FILE, HostedFileMessage("/path", "JPG"), CONSUMER, None, Sealed({}, {})
)


async def enter(database: Database) -> None:
    async def unit(tx: Transaction) -> None:
        await store.insert_file(tx, FILE, Claim("", 0))

    await database.write(unit)


async def first(tx: Transaction) -> None:
    assert await store.mark_published(tx, PUBLICATION, NOW_MS)
    await store.insert_publication(tx, PUBLICATION, "talk", 0, "ALL", NOW_MS)


async def again(database: Database, sequence: int, at_ms: int = NOW_MS) -> bool:
    async def unit(tx: Transaction) -> bool:
        return await store.show_again(tx, PUBLICATION, "talk", sequence, "ALL", at_ms)

    return await database.write(unit)


async def shown(database: Database) -> list[int]:
    async def unit(tx: Transaction) -> list[int]:
        return sorted(sequence for _, sequence, _ in await erasing_store.list_shown(tx, *FILE.name))

    return await database.write(unit)


async def test_a_published_file_is_shown_again_and_each_showing_is_written_down(
    any_database: Database,
) -> None:
    await enter(any_database)
    assert not await again(any_database, 0)  # not published yet
    await any_database.write(first)
    assert await again(any_database, 1)
    assert await again(any_database, 2, NOW_MS + store.MARK_ANEW_MS - 1)
    assert not await again(any_database, 3, NOW_MS + store.MARK_ANEW_MS)  # its row is to be moved on
    assert await shown(any_database) == [0, 1, 2]


async def test_what_is_being_erased_is_not_shown_again(any_database: Database) -> None:
    await enter(any_database)
    await any_database.write(first)

    async def erase(tx: Transaction) -> None:
        await erasing_store.take_out(tx, ACCOUNT, ["/path"], "erased", ())

    erasing = asyncio.create_task(any_database.write(erase))
    await asyncio.sleep(0)
    assert not await again(any_database, 1)
    await erasing
    assert await shown(any_database) == [0]


async def test_a_showing_keeps_a_file_whose_own_row_lies_behind(any_database: Database) -> None:
    await enter(any_database)
    await any_database.write(first)
    assert await again(any_database, 1, NOW_MS + 1000)
    assert await erasing_store.list_expired(any_database, ACCOUNT, NOW_MS + 1000, 9) == []
    assert await erasing_store.list_expired(any_database, ACCOUNT, NOW_MS + 1001, 9) == ["/path"]


async def test_who_shows_a_file_waits_for_another_nodes_erasure_of_it(postgres: PostgresServer) -> None:
    url = await new_postgres_database(postgres)
    async with opened("postgres", url) as database:
        await enter(database)
        await database.write(first)
        other = await asyncpg.connect(url)
        try:
            await other.execute("BEGIN")
            await other.execute("UPDATE files SET state = 'erasing'")
            showing = asyncio.create_task(again(database, 1))
            async with asyncio.timeout(20):
                while not await other.fetchval("SELECT COUNT(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 -- a test may look
                    await asyncio.sleep(0.01)
            await other.execute("COMMIT")
            assert not await showing
        finally:
            await other.close()
        assert await shown(database) == [0]


@pytest.mark.parametrize("gone", ["clean", "rejected", "received", "erasing"])
async def test_only_what_is_published_is_shown_again(any_database: Database, gone: str) -> None:
    await enter(any_database)
    await any_database.write(first)

    async def move(tx: Transaction) -> None:
        await tx.execute("UPDATE files SET state = $2 WHERE account_id = $1", ACCOUNT, gone)

    await any_database.write(move)
    assert not await again(any_database, 1)
