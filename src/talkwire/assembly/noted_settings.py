"""Settings of the node that weaken or strengthen what accounts were promised: each trail is told when they change."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import structlog

from talkwire.audit.model import Act, Entry, Scalar
from talkwire.audit.service import Trail
from talkwire.audit.store import list_heads
from talkwire.backends.database.port import Database, Transaction
from talkwire.kernel.errors import Unavailable
from talkwire.settings import Settings

log = structlog.get_logger()


class _Change(NamedTuple):
    account_id: str
    name: str
    old: Scalar  # None: it was never noted
    new: Scalar


async def note_settings(database: Database, settings: Settings, trail: Trail) -> None:
    """Record in every trail what differs from the last start, in the commit that notes it. Raises Unavailable.

    What was never noted is told of only where it is not the default. A trail that cannot be opened is left out, and
    is told at the first start at which it can.
    """
    now, noted = _promised(settings), await _list_noted(database)
    for account_id, _ in await list_heads(database):
        changes = [
            _Change(account_id, name, noted.get((account_id, name)), value)
            for name, value in now.items()
            if noted.get((account_id, name)) != value
        ]
        try:
            await _note(changes, trail)
        except Unavailable:
            raise
        except Exception:  # tampered rows, or keys that are older than they: that account's alone
            log.exception(
                "changed settings are not on record: the trail cannot be opened", account_id=account_id
            )


async def _note(changes: Sequence[_Change], trail: Trail) -> None:
    """Of one account."""
    if not changes:
        return

    async def unit(tx: Transaction) -> None:
        await tx.execute_many(
            "INSERT INTO noted_settings (account_id, name, value) VALUES ($1, $2, $3)"
            " ON CONFLICT (account_id, name) DO UPDATE SET value = excluded.value",
            [(one.account_id, one.name, msgspec.json.encode(one.new).decode()) for one in changes],
        )

    usual = _promised(Settings())
    told = [one for one in changes if one.old is not None or one.new != usual[one.name]]
    await trail.do(unit, *map(_entry, told))


def _promised(settings: Settings) -> dict[str, Scalar]:
    """By the names they have in docs/settings.md. None is a secret."""
    files, erasure = settings.files, settings.erasure
    return {
        "rebuild": files.rebuild,
        "clamd": settings.scanner.clamd,
        "orphan_seconds": files.orphan_seconds,
        "erasure_cancel_seconds": erasure.erasure_cancel_seconds,
        "erasure_deadline_days": erasure.erasure_deadline_days,
    }


async def _list_noted(database: Database) -> dict[tuple[str, str], Scalar]:
    """Of every account: asked once at a start."""
    rows = await database.read("SELECT account_id, name, value FROM noted_settings")
    return {(row["account_id"], row["name"]): msgspec.json.decode(row["value"]) for row in rows}


def _entry(change: _Change) -> Entry:
    detail = {"old": change.old, "new": change.new}
    return Entry(
        change.account_id, Act.SETTING_CHANGED, f"node setting {change.name}", actor="server", detail=detail
    )
