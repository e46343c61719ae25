"""After data was put back: each trail says itself what it lost, and is anchored where it goes on."""

from typing import Any

from talkwire.assembly.foundation import open_database
from talkwire.assembly.keys import KeyRooms, open_keys
from talkwire.audit import store
from talkwire.audit.anchors import Anchor, find_anchor, list_anchored
from talkwire.audit.model import Act, Entry, Scalar
from talkwire.backends.database.port import Database
from talkwire.backends.keystore.sqlite import FILE_NAME
from talkwire.kernel.clock import SystemClock
from talkwire.settings import Settings
from talkwire.vault.store import list_file_accounts


async def tell_restored(settings: Settings) -> list[dict[str, Any]]:
    """Record what each trail lacks that its anchor knew of; gives what was recorded.

    Nothing without keys: they may be put back later. Raises MasterKeyWrong, DatabaseInUse, Unavailable.
    """
    if not settings.storage.keys_url and not (settings.storage.keys_path / FILE_NAME).exists():
        return []
    database = await open_database(settings)
    try:
        await database.migrate()
        keys = await open_keys(settings, database, SystemClock(), is_given_up=True)
        try:
            expected = {*await list_anchored(keys.key_store), *await list_file_accounts(keys.key_store)}
            return [
                {"account": account_id, **await _tell(database, keys, account_id)}
                for account_id in sorted(expected)
                if not await keys.anchors.has_trail(account_id)
            ]
        finally:
            await keys.close()
    finally:
        await database.close()


async def _tell(database: Database, keys: KeyRooms, account_id: str) -> dict[str, Scalar]:
    lost = await _lost(database, account_id, await find_anchor(keys.key_store, account_id))
    await keys.trail.record(Entry(account_id, Act.RESTORED, "data", detail=lost))
    await keys.anchors.begin_anew(account_id)
    return {key: number for key, number in lost.items() if key != "lost_hash"}


async def _lost(database: Database, account_id: str, anchor: Anchor | None) -> dict[str, Scalar]:
    """What was anchored was recorded before its anchor; what is younger was recorded on the data that was put back.

    Without an anchor the account was a few seconds old, and nobody knows how much was recorded.
    """
    if anchor is None:
        return {"lost_from": 1, "lost_to": None}
    older = await store.find_bounds(database, account_id, 0, anchor.at_ms + 1)
    first = min(older[1] + 1, anchor.head.number) if older else 1
    return {"lost_from": first, "lost_to": anchor.head.number, "lost_hash": anchor.head.hash.hex()}
