"""What a node's start tells every trail, on each database."""

from talkwire.assembly.noted_settings import note_settings
from talkwire.audit.model import Act, Entry
from talkwire.audit.service import Trail
from talkwire.audit.store import list_records
from talkwire.backends.database.port import Database
from talkwire.kernel.clock import MovableClock
from talkwire.settings import Files, Settings
from unit.audit.keys import Keys


async def test_every_trail_is_told_once_of_what_differs_from_the_last_start(any_database: Database) -> None:
    trail = Trail(any_database, MovableClock(), Keys())
    await trail.record(*(Entry(account_id, Act.ACCOUNT_CREATED, "x") for account_id in "12"))

    async def start(settings: Settings) -> None:
        for _ in range(2):
            await note_settings(any_database, settings, trail)

    usual, unsafe = Settings(), Settings(files=Files(rebuild=False, orphan_seconds=60))
    await start(usual)
    await start(unsafe)
    await trail.record(Entry("3", Act.ACCOUNT_CREATED, "x"))
    await start(unsafe)
    await start(usual)
    changed, back = '{"new":false,"old":true}', '{"new":true,"old":false}'
    assert await told(any_database, "1") == await told(any_database, "2") == [changed, back]
    assert await told(any_database, "3") == ['{"new":false,"old":null}', back]  # made while it was so
    await trail.close()


async def told(database: Database, account_id: str) -> list[str]:
    """What a trail says of one of the settings."""
    drafts = [record.draft for record in await list_records(database, account_id, 0, 100)]
    assert len(drafts) == 5  # with the other setting
    return [draft.detail for draft in drafts if draft.subject == "node setting rebuild"]
