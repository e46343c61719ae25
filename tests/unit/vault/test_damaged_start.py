"""A whole node that starts while one account's keys are damaged: the others' rotations end, their secrets are sealed."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from keys import opened_keys
from talkwire.assembly.node import Node
from talkwire.backends.database.port import Database, Transaction
from talkwire.identity.session_store import ApiKey, insert_api_key
from talkwire.kernel.ids import AccountId, ParticipantId
from talkwire.vault.sealed_texts import MARK
from unit.audit.test_unreadable import opened

BROKEN, WHOLE = AccountId("10000000"), AccountId("20000000")


async def lie_open(database: Database) -> None:
    """Secrets as an earlier version kept them."""

    async def unit(tx: Transaction) -> None:
        for account_id in (BROKEN, WHOLE):
            await insert_api_key(tx, ApiKey(account_id, "app", "s1", "t1", "s2", ParticipantId("bot"), 0))

    await database.write(unit)


BROKEN_OFF = (
    "INSERT INTO account_keys (account_id, key_id, master_id, wrapped, made_at, live)"
    " SELECT account_id, 'x' || substr(key_id, 2), master_id, wrapped, made_at, 1 FROM account_keys"
    " WHERE account_id = $1"
)
ALTERED = (
    BROKEN_OFF,
    "UPDATE account_keys SET wrapped = zeroblob(61) WHERE account_id = $1",
)
GONE = ("UPDATE holder_keys SET account_key_id = 'gone-' || account_key_id WHERE account_id = $1",)


async def damage_keys(folder: Path, damage: Sequence[str]) -> dict[str, bytes]:
    """How the keys of accounts were before."""
    async with opened_keys("sqlite", str(folder / "keys")) as store:
        kept = {
            row["key_id"]: row["wrapped"]
            for row in await store.read("SELECT * FROM account_keys WHERE live = 1")
        }

        async def unit(tx: Transaction) -> None:
            for sql in damage:
                await tx.execute(sql, BROKEN)

        await store.write(unit)
        return kept


async def sealed(node: Node) -> list[tuple[str, bool]]:
    rows = await node.database.read("SELECT account_id, secret FROM api_keys ORDER BY account_id")
    return [(row["account_id"], row["secret"].startswith(MARK)) for row in rows]


async def mend(folder: Path, kept: dict[str, bytes]) -> None:
    async with opened_keys("sqlite", str(folder / "keys")) as store:

        async def unit(tx: Transaction) -> None:
            await tx.execute("DELETE FROM account_keys WHERE key_id LIKE 'x%' AND account_id = $1", BROKEN)
            await tx.execute(
                "UPDATE holder_keys SET account_key_id = replace(account_key_id, 'gone-', '') WHERE account_id = $1",
                BROKEN,
            )
            for key_id, wrapped in kept.items():
                await tx.execute(
                    "UPDATE account_keys SET wrapped = $3 WHERE account_id = $1 AND key_id = $2",
                    *(BROKEN, key_id, wrapped),
                )

        await store.write(unit)


@pytest.mark.parametrize(("damage", "errors"), [(ALTERED, 2), (GONE, 1)])
async def test_it_serves_the_others_and_seals_the_rest_once_the_keys_are_mended(
    tmp_path: Path, damage: Sequence[str], errors: int
) -> None:
    (tmp_path / "data").mkdir()
    node = await opened(tmp_path)
    for account_id in (BROKEN, WHOLE):
        await node.accounts.create(account_id)
    await lie_open(node.database)
    await node.close()
    kept = await damage_keys(tmp_path, damage)

    with capture_logs() as logs:
        node = await opened(tmp_path)
    assert await sealed(node) == [(BROKEN, False), (WHOLE, True)]
    told = [log for log in logs if log["log_level"] == "error"]
    assert {log["account_id"] for log in told} == {BROKEN}
    assert len({log["event"] for log in told}) == len(told) == errors
    await node.close()

    await mend(tmp_path, kept)
    node = await opened(tmp_path)
    assert await sealed(node) == [(BROKEN, True), (WHOLE, True)]
    await node.close()
