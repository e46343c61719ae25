"""What every adapter promises about events: numbered without gaps, once, in order, with the dialog's row."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database import ADAPTERS, new_postgres_database, opened
from events import (
    DAY_MS,
    NOW_MS,
    Settled,
    append,
    dialog_row,
    entry,
    event_rows,
    make_dialogs,
    new_dialog,
)
from talkwire.backends.database.port import Append, Database, Outcome, Rider, Transaction
from talkwire.kernel.errors import Conflict

APPENDED, REPEATED, STALE = Outcome.APPENDED, Outcome.REPEATED, Outcome.STALE


async def test_events_of_many_dialogs_are_numbered_from_zero_without_gaps(any_database: Database) -> None:
    dialogs = [f"d{n}" for n in range(20)]
    await make_dialogs(any_database, *dialogs)
    settled = Settled()
    for turn in range(50):
        for dialog_id in dialogs:
            any_database.append(entry(settled, dialog_id=dialog_id))
        if turn % 7 == 0:
            await asyncio.sleep(0)
    await settled.wait(1000)
    assert {e.outcome for e in settled.entries} == {APPENDED}
    for dialog_id in dialogs:
        handed_out = [e.sequence for e in settled.entries if e.dialog_id == dialog_id]
        assert handed_out == list(range(50))
        assert [row["sequence"] for row in await event_rows(any_database, dialog_id)] == handed_out
        assert (await dialog_row(any_database, dialog_id))["last_sequence"] == 49


async def test_a_row_holds_what_was_handed_in(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    full = Append(
        account_id="a",
        conversation_id="d1",
        dialog_id="d1",
        version=1,
        event_id="e1",
        kind="accept",
        event='{"text":"grüß dich 👋"}'.encode(),
        originator_id="o",
        originator_role="ASSIGNED_AGENT",
        audience="AGENTS_AND_MANAGERS",
        at_ms=NOW_MS,
        settled=Settled(),
        is_content=False,
        metadata=b"[1]",
        client_properties=b'{"a":1}',
        read_up_to=0,
    )
    await append(any_database, full)
    (row,) = await event_rows(any_database)
    assert {name: row[name] for name in row.keys()} == {  # noqa: SIM118 -- rows iterate over their values
        "account_id": "a",
        "dialog_id": "d1",
        "sequence": 0,
        "event_id": "e1",
        "conversation_id": "d1",
        "at": NOW_MS,
        "kind": "accept",
        "originator_id": "o",
        "originator_role": "ASSIGNED_AGENT",
        "audience": "AGENTS_AND_MANAGERS",
        "read_up_to": 0,
        "event": '{"text":"grüß dich 👋"}'.encode(),
        "metadata": b"[1]",
        "client_properties": b'{"a":1}',
    }


async def test_the_same_dialog_id_in_two_accounts_is_two_dialogs(any_database: Database) -> None:
    await make_dialogs(any_database, "d1", account_id="a")
    await make_dialogs(any_database, "d1", account_id="b")
    first, second = await append(any_database, entry(account_id="a"), entry(account_id="b"))
    assert (first.sequence, second.sequence) == (0, 0)
    assert len(await event_rows(any_database, account_id="b")) == 1


async def test_an_append_judged_on_an_older_version_is_stale_and_takes_no_number(
    any_database: Database,
) -> None:
    await make_dialogs(any_database, "d1")
    stale, fresh = await append(any_database, entry(version=0), entry(version=1))
    assert (stale.outcome, stale.sequence) == (STALE, -1)
    assert (fresh.outcome, fresh.sequence) == (APPENDED, 0)


async def test_an_append_to_no_dialog_is_stale(any_database: Database) -> None:
    (nowhere,) = await append(any_database, entry(dialog_id="nowhere"))
    assert nowhere.outcome is STALE


async def test_a_change_of_version_in_the_queue_makes_what_follows_it_stale(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    settled = Settled()

    async def close(tx: Transaction) -> None:
        await tx.execute("UPDATE dialogs SET version = 2 WHERE account_id = $1 AND dialog_id = $2", "a", "d1")

    any_database.append(entry(settled))
    written = asyncio.create_task(any_database.write(close))
    await asyncio.sleep(0)
    any_database.append(entry(settled))
    any_database.append(entry(settled, version=2))
    await written
    await settled.wait(3)
    assert [(e.outcome, e.sequence) for e in settled.entries] == [(APPENDED, 0), (STALE, -1), (APPENDED, 1)]


async def test_the_same_key_and_request_is_answered_with_the_first_one_s_number(
    any_database: Database,
) -> None:
    await make_dialogs(any_database, "d1")
    (first,) = await append(any_database, entry(key="k"))
    again, other = await append(any_database, entry(key="k", at_ms=NOW_MS + 5), entry(at_ms=NOW_MS + 6))
    assert (again.outcome, again.sequence, again.at_ms) == (REPEATED, first.sequence, first.at_ms)
    assert other.sequence == 1
    assert len(await event_rows(any_database)) == 2


async def test_the_same_key_with_another_request_is_refused(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    await append(any_database, entry(key="k"))
    (other,) = await append(any_database, entry(key="k", fingerprint=b"other"))
    assert (other.outcome, other.sequence) == (Outcome.KEY_REUSED, -1)


async def test_doubles_inside_one_batch_are_found(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    entries = await append(
        any_database,
        entry(key="k"),
        entry(key="k"),
        entry(key="k", fingerprint=b"x"),
        entry(key="l"),
        entry(),
    )
    assert [e.outcome for e in entries] == [APPENDED, REPEATED, Outcome.KEY_REUSED, APPENDED, APPENDED]
    assert [e.sequence for e in entries] == [0, 0, -1, 1, 2]


async def test_a_key_belongs_to_its_account_and_participant(any_database: Database) -> None:
    await make_dialogs(any_database, "d1", account_id="a")
    await make_dialogs(any_database, "d1", account_id="b")
    entries = await append(
        any_database,
        entry(key="k"),
        entry(key="k", originator_id="agent", fingerprint=b"x"),
        entry(key="k", account_id="b", fingerprint=b"y"),
    )
    assert [e.outcome for e in entries] == [APPENDED] * 3


async def test_a_key_is_kept_for_a_day_and_then_free(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    await append(any_database, entry(key="k"))
    (within,) = await append(any_database, entry(key="k", at_ms=NOW_MS + DAY_MS - 1))
    (after,) = await append(any_database, entry(key="k", at_ms=NOW_MS + DAY_MS, fingerprint=b"other"))
    (again,) = await append(any_database, entry(key="k", at_ms=NOW_MS + DAY_MS + 1, fingerprint=b"other"))
    assert (within.outcome, after.outcome, again.outcome) == (REPEATED, APPENDED, REPEATED)
    assert (after.sequence, again.sequence) == (1, 1)


async def test_a_stale_append_does_not_use_its_key_up(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    stale, fresh = await append(any_database, entry(key="k", version=0), entry(key="k"))
    assert (stale.outcome, fresh.outcome, fresh.sequence) == (STALE, APPENDED, 0)


async def test_a_repeated_request_is_answered_though_the_dialog_has_changed(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    await append(any_database, entry(key="k"))
    (again,) = await append(any_database, entry(key="k", version=7))
    assert (again.outcome, again.sequence) == (REPEATED, 0)


async def test_timestamps_never_run_backwards_in_a_dialog(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    first, early = await append(any_database, entry(at_ms=NOW_MS), entry(at_ms=NOW_MS - 5000))
    (later,) = await append(any_database, entry(at_ms=NOW_MS - 1))
    assert [first.at_ms, early.at_ms, later.at_ms] == [NOW_MS] * 3
    assert [row["at"] for row in await event_rows(any_database)] == [NOW_MS] * 3
    assert (await dialog_row(any_database))["last_event_at"] == NOW_MS


@pytest.mark.parametrize(
    ("roles", "owed_since"),
    [
        (["CONSUMER"], NOW_MS),
        (["CONSUMER", "CONSUMER"], NOW_MS),
        (["CONSUMER", "ASSIGNED_AGENT"], 0),
        (["CONSUMER", "ASSIGNED_AGENT", "CONSUMER"], NOW_MS + 2),
        (["ASSIGNED_AGENT"], 0),
    ],
)
async def test_an_answer_is_owed_since_the_consumer_s_first_unanswered_content(
    any_database: Database, roles: list[str], owed_since: int
) -> None:
    await make_dialogs(any_database, "d1")
    await append(any_database, *(entry(role=role, at_ms=NOW_MS + n) for n, role in enumerate(roles)))
    row = await dialog_row(any_database)
    assert (row["owed_since"], row["last_content_sequence"]) == (owed_since, len(roles) - 1)


async def test_a_word_among_agents_answers_nobody(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    asked = entry(at_ms=NOW_MS)
    aside = entry(role="ASSIGNED_AGENT", at_ms=NOW_MS + 1, audience="AGENTS_AND_MANAGERS")
    await append(any_database, asked, aside)
    assert (await dialog_row(any_database))["owed_since"] == NOW_MS


async def test_accept_statuses_owe_nothing_and_are_no_content(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    await append(any_database, entry(), entry(role="ASSIGNED_AGENT", is_content=False))
    row = await dialog_row(any_database)
    assert (row["last_sequence"], row["last_content_sequence"], row["owed_since"]) == (1, 0, NOW_MS)


async def test_a_unit_can_open_a_dialog_and_append_to_it(any_database: Database) -> None:
    first, second = entry(), entry(at_ms=NOW_MS - 1)

    async def unit(tx: Transaction) -> None:
        await new_dialog(tx)
        await tx.append([first])
        await tx.append([second])

    await any_database.write(unit)
    assert [first.sequence, second.sequence] == [0, 1]
    (third,) = await append(any_database, entry())
    assert (third.sequence, third.at_ms) == (2, NOW_MS)


async def test_what_a_refused_unit_appended_is_gone_and_its_numbers_are_free(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    settled = Settled()

    async def refused(tx: Transaction) -> None:
        await tx.append([entry(key="k"), entry()])
        raise ValueError("no")

    any_database.append(entry(settled))
    written = asyncio.create_task(any_database.write(refused))
    await asyncio.sleep(0)
    any_database.append(entry(settled, key="k"))
    with pytest.raises(ValueError, match="no"):
        await written
    await settled.wait(2)
    assert [(e.outcome, e.sequence) for e in settled.entries] == [(APPENDED, 0), (APPENDED, 1)]
    assert (await dialog_row(any_database))["last_sequence"] == 1


async def test_a_batch_larger_than_any_statement_is_whole(any_database: Database) -> None:
    await make_dialogs(any_database, *(f"d{n}" for n in range(311)))
    await append(any_database, *(entry(dialog_id=f"d{n % 311}", key=f"k{n}") for n in range(2000)))
    rows = await any_database.read(
        "SELECT account_id, dialog_id, sequence FROM events WHERE account_id = $1", "a"
    )
    assert Counter(row["dialog_id"] for row in rows) == Counter(f"d{n % 311}" for n in range(2000))


# --- any sequence of appends, against a model ---


class Model:
    """The promise in its simplest form."""

    def __init__(self) -> None:
        self.last = {"d0": (-1, 0), "d1": (-1, 0)}
        self.keys: dict[str, tuple[bytes, int, int, int]] = {}

    def append(self, e: Append) -> tuple[Outcome, int, int]:
        found = self.keys.get(e.idempotency_key or "")
        if found and found[3] > e.at_ms - DAY_MS:
            return (
                (REPEATED, found[1], found[2])
                if found[0] == e.fingerprint
                else (Outcome.KEY_REUSED, -1, e.at_ms)
            )
        if e.dialog_id not in self.last or e.version != 1:
            return STALE, -1, e.at_ms
        sequence, at = self.last[e.dialog_id][0] + 1, max(self.last[e.dialog_id][1], e.at_ms)
        self.last[e.dialog_id] = sequence, at
        if e.idempotency_key and e.fingerprint:
            self.keys[e.idempotency_key] = e.fingerprint, sequence, at, at
        return APPENDED, sequence, at


ENTRIES = st.builds(
    entry,
    dialog_id=st.sampled_from(["d0", "d1", "nowhere"]),
    version=st.sampled_from([1, 1, 1, 2]),
    key=st.sampled_from([None, None, "k", "l"]),
    fingerprint=st.sampled_from([b"x", b"y"]),
    at_ms=st.integers(NOW_MS, NOW_MS + 2 * DAY_MS),
)


@given(batches=st.lists(st.lists(ENTRIES, min_size=1, max_size=8), max_size=6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_appends_does_what_the_model_does(
    any_model_database: "Runner", batches: list[list[Append]]
) -> None:
    model = Model()
    expected = [[model.append(e) for e in batch] for batch in batches]
    assert any_model_database.run(batches) == expected


class Runner:
    """Runs batches on a database emptied before each."""

    def __init__(self, loop: asyncio.Runner, database: Database) -> None:
        self.loop = loop
        self.database = database

    def run(self, batches: list[list[Append]]) -> list[list[tuple[Outcome, int, int]]]:
        return self.loop.run(self._run(batches))

    async def _run(self, batches: list[list[Append]]) -> list[list[tuple[Outcome, int, int]]]:
        async def clean(tx: Transaction) -> None:
            for table in ("logged_events", "dialogs", "idempotency_keys"):
                await tx.execute(f"DELETE FROM {table}")

        await self.database.write(clean)
        await make_dialogs(self.database, "d0", "d1")
        return [[(e.outcome, e.sequence, e.at_ms) for e in await append(self.database, *b)] for b in batches]


@pytest.fixture(params=ADAPTERS)
def any_model_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runner]:
    """A database on a loop of its own, since Hypothesis wants a plain function."""
    with asyncio.Runner() as loop:
        if request.param == "sqlite":
            address = str(tmp_path / "talkwire.db")
        else:
            address = loop.run(new_postgres_database(request.getfixturevalue("postgres")))
        opening = opened(request.param, address)
        database = loop.run(opening.__aenter__())
        yield Runner(loop, database)
        loop.run(opening.__aexit__(None, None, None))


def bringing(settled: Settled, name: str, also: Rider | None, **columns: Any) -> Append:
    one = entry(settled, **columns)
    one.event_id = name
    one.also = also
    return one


async def noted(tx: Transaction, event: Append) -> None:
    """Writes down under which number its event came."""
    await tx.execute(
        "INSERT INTO revisions (account_id, collection, revision) VALUES ($1, $2, $3)",
        event.account_id,
        event.event_id,
        event.sequence,
    )


async def notes(database: Database) -> dict[str, int]:
    rows = await database.read("SELECT collection, revision FROM revisions WHERE account_id = $1", "a")
    return {row["collection"]: row["revision"] for row in rows}


async def test_what_an_event_brings_along_is_done_with_it_in_its_place(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    settled = Settled()
    for number in range(30):
        any_database.append(bringing(settled, f"e{number}", noted if number % 3 == 1 else None))
    await settled.wait(30)
    assert [e.event_id for e in settled.entries] == [f"e{n}" for n in range(30)]
    assert [e.sequence for e in settled.entries] == list(range(30))
    assert await notes(any_database) == {f"e{n}": n for n in range(1, 30, 3)}


async def test_when_what_it_brings_along_is_refused_the_event_is_not_there_either(
    any_database: Database,
) -> None:
    async def refused(tx: Transaction, event: Append) -> None:
        await noted(tx, event)
        raise Conflict("not now")

    await make_dialogs(any_database, "d1")
    settled = Settled()
    for number in range(3):
        any_database.append(bringing(settled, f"e{number}", refused if number == 1 else noted))
    await settled.wait(3)
    outcomes = [(e.outcome, e.sequence) for e in settled.entries]
    assert outcomes == [(APPENDED, 0), (Outcome.REFUSED, -1), (APPENDED, 1)]
    assert isinstance(settled.entries[1].error, Conflict)
    assert [row["event_id"] for row in await event_rows(any_database, "d1")] == ["e0", "e2"]
    assert await notes(any_database) == {"e0": 0, "e2": 1}


async def test_what_is_stale_or_repeated_brings_nothing_along(any_database: Database) -> None:
    await make_dialogs(any_database, "d1")
    settled = Settled()
    for name, columns in (("x", {"key": "k"}), ("y", {"key": "k"}), ("z", {"version": 0})):
        any_database.append(bringing(settled, name, noted, **columns))
    await settled.wait(3)
    assert [e.outcome for e in settled.entries] == [APPENDED, REPEATED, STALE]
    assert await notes(any_database) == {"x": 0}
