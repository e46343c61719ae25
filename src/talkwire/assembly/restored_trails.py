"""After data was put back: each trail says itself what it lost, and is anchored where it goes on."""

from typing import Any

from talkwire.assembly.foundation import open_database
from talkwire.assembly.keys import open_keys
from talkwire.audit import store
from talkwire.audit.anchors import find_anchor, list_anchored
from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.rules import GENESIS
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
                found = await store.find_head(database, account_id)
                head = found[0] if found else GENESIS
                if anchor is None or anchor.head.number <= head.number:
                    continue
                lost: dict[str, Scalar] = {"lost_from": head.number + 1, "lost_to": anchor.head.number}
                detail = {**lost, "lost_hash": anchor.head.hash.hex()}
                await keys.trail.record(Entry(account_id, Act.RESTORED, "data", detail=detail))
                await keys.anchors.begin_anew(account_id)
                told.append({"account": account_id, **lost})
            return told
        finally:
            await keys.close()
    finally:
        await database.close()
