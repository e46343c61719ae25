"""Appends for tests: dialogs to write into, entries, and waiting for them."""

import asyncio
from collections.abc import Sequence

from talkwire.backends.database.port import Append, Database, Row, Transaction
from talkwire.kernel.ids import new_uuid

NOW_MS = 1_700_000_000_000
DAY_MS = 24 * 3600 * 1000

_NEW_DIALOG = (
    "INSERT INTO dialogs (account_id, dialog_id, conversation_id, version, last_sequence, last_event_at,"
    " last_content_sequence, owed_since) VALUES ($1, $2, $2, $3, -1, 0, -1, 0)"
)


async def new_dialog(tx: Transaction, dialog_id: str = "d1", account_id: str = "a", version: int = 1) -> None:
    await tx.execute(_NEW_DIALOG, account_id, dialog_id, version)


async def make_dialogs(database: Database, *dialog_ids: str, account_id: str = "a") -> None:
    async def unit(tx: Transaction) -> None:
        for dialog_id in dialog_ids:
            await new_dialog(tx, dialog_id, account_id)

    await database.write(unit)


class Settled:
    """Collects entries in the order they are settled, and lets a test wait for them."""

    def __init__(self) -> None:
        self.entries: list[Append] = []

    def __call__(self, entry: Append) -> None:
        self.entries.append(entry)

    async def wait(self, count: int) -> list[Append]:
        async with asyncio.timeout(20):
            while len(self.entries) < count:  # noqa: ASYNC110 -- a test may look
                await asyncio.sleep(0.001)
        return self.entries


def entry(  # noqa: PLR0913 -- any column may be what a test is about
    settled: Settled | None = None,
    *,
    dialog_id: str = "d1",
    account_id: str = "a",
    role: str = "CONSUMER",
    is_content: bool = True,
    at_ms: int = NOW_MS,
    version: int = 1,
    key: str | None = None,
    fingerprint: bytes = b"same",
    originator_id: str = "consumer",
    event: bytes = b"{}",
    audience: str = "ALL",
) -> Append:
    return Append(
        account_id=account_id,
        conversation_id=dialog_id,
        dialog_id=dialog_id,
        version=version,
        event_id=new_uuid(),
        kind="content" if is_content else "accept",
        event=event,
        originator_id=originator_id,
        originator_role=role,
        audience=audience,
        at_ms=at_ms,
        settled=settled or Settled(),
        is_content=is_content,
        idempotency_key=key,
        fingerprint=None if key is None else fingerprint,
    )


async def append(database: Database, *entries: Append) -> Sequence[Append]:
    """Hand the entries in together, and wait until all are settled."""
    settled = Settled()
    for one in entries:
        one.settled = settled
        database.append(one)
    await settled.wait(len(entries))
    return entries


async def dialog_row(database: Database, dialog_id: str = "d1", account_id: str = "a") -> Row:
    (row,) = await database.read(
        "SELECT * FROM dialogs WHERE account_id = $1 AND dialog_id = $2", account_id, dialog_id
    )
    return row


async def event_rows(database: Database, dialog_id: str = "d1", account_id: str = "a") -> Sequence[Row]:
    return await database.read(
        "SELECT * FROM events WHERE account_id = $1 AND dialog_id = $2 ORDER BY sequence",
        account_id,
        dialog_id,
    )
