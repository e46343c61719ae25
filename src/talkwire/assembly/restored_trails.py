"""After data was put back: each trail says itself what it lost, and is anchored where it goes on."""

from typing import Any

from talkwire.assembly.foundation import open_database
from talkwire.assembly.keys import KeyRooms, open_keys
from talkwire.audit import store
from talkwire.audit.anchors import Anchor, find_anchor, has_anchored, list_anchored
from talkwire.audit.model import Act, Entry, Scalar
from talkwire.backends.database.port import Database
from talkwire.backends.keystore.sqlite import FILE_NAME
from talkwire.kernel.clock import SystemClock
from talkwire.settings import Settings


async def tell_restored(settings: Settings) -> list[dict[str, Any]]:
    """Record what each trail lacks that its anchor knew of; gives what was recorded.

    Nothing without keys: they may be put back later. Raises MasterKeyWrong, DatabaseInUse, Unavailable.
    """
    if not settings.storage.keys_url and not (settings.storage.keys_path / FILE_NAME).exists():
        return []
    database = await open_database(settings)
    try:
        await database.migrate()
        keys = await open_keys(settings, database, SystemClock())
        try:
            told = []
            for account_id in await list_anchored(keys.key_store):
                anchor = await find_anchor(keys.key_store, account_id)
                if anchor is None or await has_anchored(database, account_id, anchor.head):
                    continue
                told.append({"account": account_id, **await _tell(database, keys, account_id, anchor)})
            return told
        finally:
            await keys.close()
    finally:
        await database.close()


async def _tell(database: Database, keys: KeyRooms, account_id: str, anchor: Anchor) -> dict[str, Scalar]:
    """What was anchored was recorded before its anchor; what is younger was recorded on the data that was put back."""
    older = await store.find_bounds(database, account_id, 0, anchor.at_ms + 1)
    first = min(older[1] + 1, anchor.head.number) if older else 1
    lost: dict[str, Scalar] = {"lost_from": first, "lost_to": anchor.head.number}
    detail = {**lost, "lost_hash": anchor.head.hash.hex()}
    await keys.trail.record(Entry(account_id, Act.RESTORED, "data", detail=detail))
    await keys.anchors.begin_anew(account_id)
    return lost
