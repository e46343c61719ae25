import asyncio

import msgspec
import pytest

from identity_rooms import ACCOUNT, OTHER
from talkwire.accounts.errors import RevisionStale
from talkwire.backends.database.port import Database
from talkwire.connectors.apps import Apps
from talkwire.connectors.errors import AppInvalid, AppNotFound
from talkwire.connectors.model import EVENT_KEYS, App, AppDraft, Webhook
from talkwire.kernel.clock import MovableClock
from talkwire.vault.service import Vault

HOOKS = {EVENT_KEYS[1]: Webhook("https://a.example/?key=k3y", (("Authorization", "Basic d00r"),), 2)}
DRAFT = AppDraft(name="sms", webhooks=HOOKS, retention_seconds=60)


@pytest.fixture
def apps(any_database: Database, vault: Vault) -> Apps:
    return Apps(any_database, MovableClock(), vault)


async def test_an_app_is_found_as_it_was_made(apps: Apps) -> None:
    made = await apps.create(ACCOUNT, DRAFT)
    assert await apps.get(ACCOUNT, made.app.client_id) == made.app
    assert (made.app.webhooks, made.app.retention_seconds, made.app.revision) == (HOOKS, 60, 1)
    assert await apps.secret_of(made.app) == made.secret
    assert await apps.list_apps(ACCOUNT) == [made.app]
    assert await apps.find(OTHER, made.app.client_id) is None
    assert await apps.list_apps(OTHER) == []


async def test_the_database_alone_reveals_nothing_that_opens_a_door(
    apps: Apps, any_database: Database
) -> None:
    made = await apps.create(ACCOUNT, DRAFT)
    await apps.rotate_secret(ACCOUNT, made.app.client_id)
    rows = await any_database.read("SELECT * FROM apps WHERE account_id = $1", ACCOUNT)
    everything = b"".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        for name in ("record", "sealed_secret", "sealed_webhooks")
        for value in (rows[0][name],)
    )
    for hidden in (made.secret, "k3y", "d00r", "a.example"):
        assert hidden.encode() not in everything


async def test_another_node_sees_it_with_the_same_keys(
    any_database: Database, vault: Vault, apps: Apps
) -> None:
    made = await apps.create(ACCOUNT, DRAFT)
    other = Apps(any_database, MovableClock(), vault)
    found = await other.get(ACCOUNT, made.app.client_id)
    assert found == made.app
    assert await other.secret_of(found) == made.secret


async def test_changes_are_seen_at_once_and_told(apps: Apps) -> None:
    told: list[App] = []
    apps.on_change(told.append)
    made = await apps.create(ACCOUNT, DRAFT)
    client_id = made.app.client_id
    off = await apps.update(ACCOUNT, client_id, AppDraft(enabled=False))
    assert (off.enabled, off.webhooks, off.revision) == (False, HOOKS, 2)
    assert await apps.get(ACCOUNT, client_id) == off
    rotated = await apps.rotate_secret(ACCOUNT, client_id)
    assert rotated.secret != made.secret
    assert await apps.secret_of(await apps.get(ACCOUNT, client_id)) == rotated.secret
    gone = await apps.delete(ACCOUNT, client_id)
    assert (gone.deleted, gone.webhooks) == (True, {})
    assert [app.revision for app in told] == [1, 2, 3, 4]
    assert told[1].webhooks == HOOKS
    found = await apps.find(ACCOUNT, client_id)
    assert found is not None
    assert found.deleted
    for late in (
        apps.update(ACCOUNT, client_id, DRAFT),
        apps.delete(ACCOUNT, client_id),
        apps.get(ACCOUNT, client_id),
    ):
        with pytest.raises(AppNotFound):
            await late


async def test_a_refused_change_leaves_no_trace(apps: Apps) -> None:
    made = await apps.create(ACCOUNT, DRAFT)
    with pytest.raises(RevisionStale):
        await apps.update(ACCOUNT, made.app.client_id, AppDraft(name="x"), if_match=7)
    with pytest.raises(AppInvalid):
        await apps.update(ACCOUNT, made.app.client_id, AppDraft(name=""))
    with pytest.raises(AppInvalid):
        await apps.create(ACCOUNT, AppDraft())
    assert await apps.revision(ACCOUNT) == 1
    assert await apps.get(ACCOUNT, made.app.client_id) == made.app


async def test_changes_at_once_are_all_made(apps: Apps) -> None:
    client_id = (await apps.create(ACCOUNT, DRAFT)).app.client_id
    drafts = (AppDraft(name="y"), AppDraft(description="d"), AppDraft(enabled=False))
    await asyncio.gather(*(apps.update(ACCOUNT, client_id, draft) for draft in drafts))
    found = await apps.get(ACCOUNT, client_id)
    assert (found.name, found.description, found.enabled, found.revision) == ("y", "d", False, 4)
    assert found.webhooks == HOOKS


async def test_plain_loopback_is_for_a_demo(any_database: Database, vault: Vault) -> None:
    plain = msgspec.structs.replace(DRAFT, webhooks={EVENT_KEYS[0]: Webhook("http://127.0.0.1:9/x")})
    with pytest.raises(AppInvalid):
        await Apps(any_database, MovableClock(), vault).create(ACCOUNT, plain)
    demo = Apps(any_database, MovableClock(), vault, allow_plain_loopback=True)
    assert (await demo.create(ACCOUNT, plain)).app.webhooks == plain.webhooks
