"""What every database adapter promises: one queue, durable answers, units applied whole or not at all."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from database import PostgresServer, new_postgres_database, opened, postgres_server
from events import Settled, append, dialog_row, entry, event_rows, make_dialogs, new_dialog
from talkwire.backends.database import postgres_writer
from talkwire.backends.database.port import (
    AlreadyExists,
    Database,
    DatabaseInUse,
    Outcome,
    SchemaTooNew,
    Transaction,
)
from talkwire.backends.database.postgres import PostgresDatabase
from talkwire.backends.database.sqlite import SqliteDatabase
from talkwire.kernel.errors import NotFound, StorageFull, Unavailable


def note(ref: str) -> Callable[[Transaction], Awaitable[str]]:
    """A unit that leaves a trace."""

    async def unit(tx: Transaction) -> str:
        await tx.execute(
            "INSERT INTO changes (account_id, kind, ref, at) VALUES ($1, $2, $3, $4)", "a", "k", ref, 1
        )
        return ref

    return unit


async def refs(database: Database) -> list[str]:
    rows = await database.read("SELECT ref FROM changes WHERE account_id = $1 ORDER BY position", "a")
    return [row["ref"] for row in rows]


# --- units ---


async def test_a_unit_s_result_is_what_the_write_answers(any_database: Database) -> None:
    assert await any_database.write(note("x")) == "x"


async def test_arguments_are_numbered_not_counted(any_database: Database) -> None:
    async def unit(tx: Transaction) -> tuple[Any, ...]:
        await tx.execute(
            "INSERT INTO changes (kind, account_id, ref, at) VALUES ($2, $1, $2, $3)", "a", "two", 3
        )
        (row,) = await tx.fetch("SELECT ref, at FROM changes WHERE kind = $2 AND account_id = $1", "a", "two")
        return row["ref"], row["at"], next(iter(row.values()))

    assert await any_database.write(unit) == ("two", 3, "two")
    (row,) = await any_database.read("SELECT account_id FROM changes WHERE at = $2 AND ref = $1", "two", 3)
    assert row["account_id"] == "a"


async def test_execute_tells_how_many_rows_it_touched(any_database: Database) -> None:
    async def unit(tx: Transaction) -> list[int]:
        rows = [("a", "k", str(n), n) for n in range(5)]
        await tx.execute_many("INSERT INTO changes (account_id, kind, ref, at) VALUES ($1, $2, $3, $4)", rows)
        return [
            await tx.execute("UPDATE changes SET kind = $1 WHERE account_id = $2 AND at >= $3", "l", "a", 2),
            await tx.execute("DELETE FROM changes WHERE account_id = $1 AND at = $2", "a", 99),
        ]

    assert await any_database.write(unit) == [3, 0]


async def test_rows_can_be_asked_like_mappings(any_database: Database) -> None:
    await any_database.write(note("x"))
    (row,) = await any_database.read("SELECT account_id, ref FROM changes WHERE account_id = $1", "a")
    by_position: Any = row
    assert (row["ref"], by_position[1], row.get("ref"), row.get("none", 7)) == ("x", "x", "x", 7)
    assert dict(row.items()) == {"account_id": "a", "ref": "x"}
    assert "ref" in row
    assert "none" not in row
    assert list(row.values()) == ["a", "x"]


async def test_growing_keys_grow_also_after_rows_are_deleted(any_database: Database) -> None:
    await any_database.write(note("x"))
    (before,) = await any_database.read("SELECT position FROM changes WHERE account_id = $1", "a")

    async def clear(tx: Transaction) -> None:
        await tx.execute("DELETE FROM changes WHERE account_id = $1", "a")

    await any_database.write(clear)
    await any_database.write(note("y"))
    (after,) = await any_database.read("SELECT position FROM changes WHERE account_id = $1", "a")
    assert after["position"] > before["position"]


async def test_a_refused_unit_is_rolled_back_alone(any_database: Database) -> None:
    async def refused(tx: Transaction) -> None:
        await note("lost")(tx)
        raise NotFound("no such thing")

    results = await asyncio.gather(
        any_database.write(note("before")),
        any_database.write(refused),
        any_database.write(note("after")),
        return_exceptions=True,
    )
    assert results[0] == "before"
    assert isinstance(results[1], NotFound)
    assert await refs(any_database) == ["before", "after"]


async def test_a_broken_unique_key_is_a_conflict_and_ends_the_unit(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")

    async def again(tx: Transaction) -> None:
        await note("lost")(tx)
        await new_dialog(tx, "d1")

    with pytest.raises(AlreadyExists):
        await any_database.write(again)
    assert await refs(any_database) == []


async def test_a_faulty_statement_fails_its_unit_alone(any_database: Database) -> None:
    async def faulty(tx: Transaction) -> None:
        await tx.execute("INSERT INTO no_such_table VALUES ($1)", 1)

    results = await asyncio.gather(
        any_database.write(faulty), any_database.write(note("x")), return_exceptions=True
    )
    assert isinstance(results[0], Exception)
    assert not isinstance(results[0], Unavailable)
    assert await refs(any_database) == ["x"]


async def test_a_refusal_leaves_those_beside_it_as_if_it_had_not_been(any_database: Database) -> None:
    """However often a unit is run for it: each takes effect once, events keep their order and their numbers."""
    await make_dialogs(any_database, "d1")
    told: list[str] = []

    async def refused(tx: Transaction) -> None:
        await note("gone")(tx)
        raise NotFound("no")

    async def logged(tx: Transaction) -> int:
        event = entry()
        await tx.append([event])
        return event.sequence

    first = asyncio.create_task(any_database.write(note("first"), told.append))
    numbers = [asyncio.create_task(any_database.write(logged)) for _ in range(2)]
    beside = asyncio.create_task(any_database.write(refused))
    last = [
        asyncio.create_task(any_database.write(logged)),
        asyncio.create_task(any_database.write(note("last"), told.append)),
    ]
    done = await asyncio.gather(first, *numbers, beside, *last, return_exceptions=True)
    assert [type(result) for result in done] == [str, int, int, NotFound, int, str]
    assert [result for result in done if type(result) is int] == [0, 1, 2]
    assert (await refs(any_database), told) == (["first", "last"], ["first", "last"])
    assert [row["sequence"] for row in await event_rows(any_database, "d1")] == [0, 1, 2]


# --- what is left for the end ---


class Ends:
    """Leaves traces before a commit, by units that left something for that."""

    def __init__(self) -> None:
        self.fails_on = ""

    def unit(self, ref: str, refusal: Exception | None = None) -> Callable[[Transaction], Awaitable[str]]:
        async def unit(tx: Transaction) -> str:
            await tx.at_end(self.finish, ref)
            if refusal is not None:
                raise refusal
            return ref

        return unit

    async def finish(self, tx: Transaction, items: Sequence[Any]) -> None:
        if self.fails_on in items:
            raise NotFound("no end")
        await note("+".join(items))(tx)


async def test_what_is_left_for_the_end_is_done_before_the_commit(any_database: Database) -> None:
    assert await any_database.write(Ends().unit("x")) == "x"
    assert await refs(any_database) == ["x"]


async def test_what_many_leave_for_the_end_is_done_in_order_and_once(any_database: Database) -> None:
    ends = Ends()
    await asyncio.gather(*(any_database.write(ends.unit(str(number))) for number in range(9)))
    assert "+".join(await refs(any_database)).split("+") == [str(number) for number in range(9)]


async def test_a_refused_unit_leaves_nothing_for_the_end(any_database: Database) -> None:
    ends = Ends()
    units = [ends.unit("a"), ends.unit("b", NotFound("no")), ends.unit("c")]
    await asyncio.gather(*map(any_database.write, units), return_exceptions=True)
    assert "+".join(await refs(any_database)) == "a+c"


async def test_an_end_that_fails_undoes_whose_it_was_alone(any_database: Database) -> None:
    ends = Ends()
    ends.fails_on = "b"

    async def unit(tx: Transaction) -> None:
        await note("of b")(tx)
        await ends.unit("b")(tx)

    done = await asyncio.gather(
        any_database.write(ends.unit("a")),
        any_database.write(unit),
        any_database.write(ends.unit("c")),
        return_exceptions=True,
    )
    assert [type(result) for result in done] == [str, NotFound, str]
    assert await refs(any_database) == ["a", "c"]


async def test_a_unit_sees_what_came_before_it_in_the_queue(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    settled = Settled()

    async def count(tx: Transaction) -> int:
        rows = await tx.fetch(
            "SELECT sequence FROM events WHERE account_id = $1 AND dialog_id = $2", "a", "d1"
        )
        return len(rows)

    counted = []
    for _ in range(10):
        any_database.append(entry(settled))
        counted.append(asyncio.create_task(any_database.write(count)))
        await asyncio.sleep(0)
    assert await asyncio.gather(*counted) == list(range(1, 11))


async def test_writes_take_effect_in_the_order_they_were_handed_in(any_database: Database) -> None:
    names = [f"r{n}" for n in range(100)]
    await asyncio.gather(*(any_database.write(note(name)) for name in names))
    assert await refs(any_database) == names


# --- callbacks ---


async def test_callbacks_come_in_queue_order_after_the_commit_and_before_anyone_resumes(
    any_database: Database,
) -> None:
    await make_dialogs(any_database, "d1")
    heard: list[str] = []

    class Named(Settled):
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, _: object) -> None:
            heard.append(self.name)

    async def write(name: str) -> None:
        await any_database.write(note(name), then=lambda ref: heard.append(f"then {ref}"))
        heard.append(f"resumed {name}")

    tasks = []
    for n in range(3):
        any_database.append(entry(Named(f"append {n}")))
        tasks.append(asyncio.create_task(write(f"unit {n}")))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    calls = [name for name in heard if not name.startswith("resumed")]
    assert calls == [text for n in range(3) for text in (f"append {n}", f"then unit {n}")]
    for n in range(3):
        assert heard.index(f"then unit {n}") < heard.index(f"resumed unit {n}")


async def test_no_callback_for_a_refused_unit(any_database: Database) -> None:
    heard: list[object] = []

    async def refused(tx: Transaction) -> None:
        raise NotFound("no")

    with pytest.raises(NotFound):
        await any_database.write(refused, then=heard.append)
    assert heard == []


async def test_what_is_settled_can_be_read(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    for n in range(20):
        await append(any_database, entry())
        assert len(await event_rows(any_database)) == n + 1


async def test_a_failing_callback_harms_nobody_else(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")

    def fails(_: object) -> None:
        raise ValueError("a bug in a callback")

    broken, well = entry(), entry(settled := Settled())
    broken.settled = fails
    any_database.append(broken)
    any_database.append(well)
    with pytest.raises(ValueError, match="a bug"):
        await any_database.write(note("x"), then=fails)
    await settled.wait(1)
    assert await refs(any_database) == ["x"]


async def test_a_write_nobody_waits_for_any_more_still_takes_effect(any_database: Database) -> None:
    waiting = asyncio.create_task(any_database.write(note("x")))
    await asyncio.sleep(0)
    waiting.cancel()
    await any_database.write(note("y"))
    assert await refs(any_database) == ["x", "y"]


async def test_an_event_that_cannot_be_stored_fails_alone(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    poison = entry(originator_id="\ud800")  # no UTF-8 for half a character
    first, _, last = await append(any_database, entry(), poison, entry())
    assert [first.sequence, last.sequence] == [0, 1]
    assert poison.outcome is Outcome.UNAVAILABLE


# --- opening and closing ---


async def test_reopening_finds_everything(any_address: tuple[str, str]) -> None:
    async with opened(*any_address) as database:
        await make_dialogs(database, "d1")
        await append(database, entry(), entry(key="k"))
    async with opened(*any_address) as database:
        again, fresh = await append(database, entry(key="k"), entry())
        assert (again.outcome, again.sequence, fresh.sequence) == (Outcome.REPEATED, 1, 2)


async def test_closing_commits_what_was_handed_in(any_address: tuple[str, str]) -> None:
    settled = Settled()
    async with opened(*any_address) as database:
        await make_dialogs(database, "d1")
        for _ in range(100):
            database.append(entry(settled))
    assert [e.sequence for e in settled.entries] == list(range(100))


async def test_a_closed_database_refuses(any_address: tuple[str, str]) -> None:
    async with opened(*any_address) as database:
        await make_dialogs(database, "d1")
    with pytest.raises(Unavailable):
        await database.write(note("x"))
    (late,) = await append(database, entry())
    assert late.outcome is Outcome.UNAVAILABLE


async def test_a_schema_of_a_later_version_is_left_alone(any_address: tuple[str, str]) -> None:
    async def look_ahead(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, $3)", 9999, "x", 1
        )

    async with opened(*any_address) as database:
        await database.write(look_ahead)
        with pytest.raises(SchemaTooNew, match="9999"):
            await database.migrate()


async def test_migrating_twice_changes_nothing(any_database: Database) -> None:
    await any_database.write(note("x"))
    await any_database.migrate()
    assert await refs(any_database) == ["x"]


async def test_an_embedded_database_belongs_to_one_process(tmp_path: Path) -> None:
    async with opened("sqlite", str(tmp_path / "t.db")):
        with pytest.raises(DatabaseInUse, match="in use"):
            await SqliteDatabase.open(tmp_path / "t.db")
    async with opened("sqlite", str(tmp_path / "t.db")):
        pass


async def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await PostgresDatabase.open(f"postgresql://postgres@/x?host={tmp_path}")


# --- trouble ---


async def test_a_full_disk_fails_the_whole_batch_and_passes_by_itself(
    sqlite_database: SqliteDatabase,
) -> None:
    await make_dialogs(sqlite_database, "d1")
    connection: sqlite3.Connection = sqlite_database._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    settled = Settled()
    small, large = entry(settled), entry(settled, event=b"x" * 100_000)
    sqlite_database.append(small)
    unit = asyncio.create_task(sqlite_database.write(note("x")))
    await asyncio.sleep(0)
    sqlite_database.append(large)
    with pytest.raises(StorageFull):
        await unit
    await settled.wait(2)
    assert [e.outcome for e in settled.entries] == [Outcome.UNAVAILABLE] * 2
    assert [e.sequence for e in settled.entries] == [-1, -1]
    assert await refs(sqlite_database) == []
    (fresh,) = await append(sqlite_database, entry(event=b"x" * 100_000))  # the connection was opened anew
    assert (fresh.outcome, fresh.sequence) == (Outcome.APPENDED, 0)
    assert (await dialog_row(sqlite_database))["last_sequence"] == 0


async def test_a_file_gone_read_only_is_unavailable_and_passes_by_itself(
    sqlite_database: SqliteDatabase,
) -> None:
    await make_dialogs(sqlite_database, "d1")
    sqlite_database._writer._connection.execute("PRAGMA query_only = 1")
    (refused,) = await append(sqlite_database, entry())
    assert refused.outcome is Outcome.UNAVAILABLE
    (fresh,) = await append(sqlite_database, entry())
    assert (fresh.outcome, fresh.sequence) == (Outcome.APPENDED, 0)


async def test_a_unit_that_awaits_something_else_is_told(sqlite_database: SqliteDatabase) -> None:
    async def strays(tx: Transaction) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="other than its transaction"):
        await sqlite_database.write(strays)
    await sqlite_database.write(note("x"))


@pytest.fixture
def own_postgres() -> Any:
    with postgres_server() as server:
        yield server


async def test_a_restarted_server_is_found_again(own_postgres: PostgresServer) -> None:
    async with opened("postgres", own_postgres.url()) as database:
        await make_dialogs(database, "d1")
        own_postgres.stop()
        (lost,) = await append(database, entry())
        assert lost.outcome is Outcome.UNAVAILABLE
        with pytest.raises(Unavailable):
            await database.write(note("x"))
        with pytest.raises(Unavailable):
            await database.read("SELECT 1")
        own_postgres.start()
        (found,) = await append(database, entry())
        assert (found.outcome, found.sequence) == (Outcome.APPENDED, 0)
        assert await database.write(note("x")) == "x"


async def test_connections_cut_at_any_point_lose_and_double_nothing(postgres: PostgresServer) -> None:
    address = await new_postgres_database(postgres)
    async with opened("postgres", address) as database:
        await make_dialogs(database, "d1")
        settled, cutting = Settled(), asyncio.create_task(_cut_connections(postgres, address))
        for _ in range(400):
            for _ in range(5):
                database.append(entry(settled))
            await asyncio.sleep(0.002)
        cutting.cancel()
        await settled.wait(2000)
        rows = await event_rows(database)
        appended = [e for e in settled.entries if e.outcome is Outcome.APPENDED]
        assert {e.event_id: e.sequence for e in appended} == {
            row["event_id"]: row["sequence"] for row in rows
        }
        assert [row["sequence"] for row in rows] == list(range(len(rows)))


async def _cut_connections(server: PostgresServer, address: str) -> None:
    name = address.split("/")[3].split("?", maxsplit=1)[0]
    connection = await asyncpg.connect(server.url())
    try:
        while True:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query ~ $2",
                name,
                random.choice(["COMMIT", "INSERT INTO logged", "."]),
            )
            await asyncio.sleep(random.random() * 0.02)
    finally:
        await connection.close()


@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_that_nobody_answered_is_looked_up_before_it_is_tried_again(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """The connection goes while COMMIT is under way, once with it done and once with it not done."""
    really_commit = postgres_writer._commit
    commits: list[str] = []

    async def commit(connection: Any) -> None:
        commits.append("asked")
        if len(commits) > 1:
            await really_commit(connection)
            return
        await connection.execute("COMMIT" if committed else "ROLLBACK")
        raise postgres_writer.CommitUnanswered

    async with opened("postgres", await new_postgres_database(postgres)) as database:
        await make_dialogs(database, "d1")
        monkeypatch.setattr(postgres_writer, "_commit", commit)
        (event,) = await append(database, entry())
        assert (event.outcome, event.sequence) == (Outcome.APPENDED, 0)
        assert len(await event_rows(database)) == 1
        assert len(commits) == (1 if committed else 2)
        commits.clear()
        assert await database.write(note("once")) == "once"
        assert await refs(database) == ["once"]
