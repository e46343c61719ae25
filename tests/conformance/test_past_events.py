"""Reading the past of a dialog on both databases: what one may not hear takes no place on one's page."""

from events import Settled, entry, make_dialogs
from talkwire.backends.database.port import Database
from talkwire.messaging import store

PRIVATE, PUBLIC = "AGENTS_AND_MANAGERS", "ALL"


async def published(database: Database, *audiences: str) -> None:
    await make_dialogs(database, "d1", "d2")
    settled = Settled()
    for audience in audiences:
        for dialog_id in ("d1", "d2"):
            database.append(entry(settled, dialog_id=dialog_id, audience=audience))
    await settled.wait(2 * len(audiences))


async def test_the_oldest_are_counted_without_private_ones(any_database: Database) -> None:
    await published(any_database, *[PRIVATE] * 5, *[PUBLIC] * 3)
    for sequence, limit, expected in ((0, 5, [5, 6, 7]), (0, 2, [5, 6]), (6, 5, [6, 7]), (8, 5, [])):
        rows = await store.public_events_from(any_database, "a", "d1", sequence, limit)
        assert [row["sequence"] for row in rows] == expected
    rows = await store.events_from(any_database, "a", "d1", 0, 5)
    assert [row["sequence"] for row in rows] == [0, 1, 2, 3, 4]


async def test_the_newest_are_counted_without_private_ones(any_database: Database) -> None:
    await published(any_database, *[PUBLIC] * 3, *[PRIVATE] * 1_000)
    rows = await store.newest_public_events(any_database, "a", "d1", 1, 1_000)
    assert [row["sequence"] for row in rows] == [1, 2]
    rows = await store.newest_events(any_database, "a", "d1", 0, 1_000)
    assert (len(rows), rows[0]["sequence"]) == (1_000, 3)
    assert await store.newest_public_events(any_database, "b", "d1", 0, 1_000) == []
