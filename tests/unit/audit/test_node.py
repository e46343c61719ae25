"""A whole node: what is done over HTTP is on record, with who did it and from where, and nothing goes around it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from talkwire.assembly.node import Node, assemble
from talkwire.audit import store
from talkwire.audit.anchors import find_anchor
from talkwire.audit.model import Draft
from talkwire.audit.service import Trail
from talkwire.audit.verification import verify
from talkwire.kernel.clock import SystemClock
from talkwire.kernel.ids import AccountId
from talkwire.settings import Files, Scanner, Settings, Storage
from talkwire.vault.errors import MasterKeyWrong

ACCOUNT = AccountId("12345678")
PASSWORD = "correct horse"


async def opened(tmp_path: Path, data: str = "data", clamd: str = "") -> Node:
    storage = Storage(data_folder=str(tmp_path / data), keys_folder=str(tmp_path / "keys"))
    (tmp_path / data).mkdir(exist_ok=True)
    settings = Settings(storage=storage, files=Files(rebuild=False), scanner=Scanner(clamd=clamd))
    return await assemble(settings, SystemClock())


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = await opened(tmp_path)
    await node.accounts.create(ACCOUNT)
    await node.agents.create_user(ACCOUNT, "ada", PASSWORD, "administrator")
    yield node
    await node.close()


@pytest.fixture
async def client(node: Node) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    async with TestClient(TestServer(node.app)) as client:
        yield client


async def records(node: Node) -> list[Draft]:
    return [record.draft for record in await store.list_records(node.database, ACCOUNT, 0, 1000)]


async def sign_in(client: TestClient, password: str, name: str = "ada") -> dict[str, str]:  # type: ignore[type-arg]
    body = {"username": name, "password": password}
    answer = await client.post(f"/api/account/{ACCOUNT}/login?v=1.3", json=body)
    found: dict[str, str] = await answer.json()
    return found


async def test_a_sign_in_and_a_refused_one_are_recorded(node: Node, client: TestClient) -> None:  # type: ignore[type-arg]
    ada = await node.agents.get_agent(ACCOUNT, (await node.agents.list_users(ACCOUNT))[0].id)
    await sign_in(client, PASSWORD)
    await sign_in(client, "wrong")
    signed_in, refused = (await records(node))[-2:]
    assert (signed_in.act, signed_in.subject, signed_in.actor) == ("signed in", "ada", ada.id)
    assert (refused.act, refused.subject) == ("sign-in refused", "ada")
    assert signed_in.address == refused.address == "127.0.0.1"


async def test_what_is_nobodys_name_is_not_kept(node: Node, client: TestClient) -> None:  # type: ignore[type-arg]
    await sign_in(client, "ada", name=PASSWORD)  # in the wrong fields
    refused = (await records(node))[-1]
    assert (refused.act, refused.subject) == ("sign-in refused", "nobody's name")
    assert PASSWORD not in repr(await records(node))


async def test_of_many_refused_sign_ins_a_bounded_number_is_recorded(node: Node, client: TestClient) -> None:  # type: ignore[type-arg]
    for _ in range(25):
        await sign_in(client, "wrong")
    refused = [record.detail for record in await records(node) if record.act == "sign-in refused"]
    assert len(refused) == 11
    assert refused[-1] == '{"reason":"too many attempts"}'


async def test_a_setting_changed_over_http_names_the_administrator(node: Node, client: TestClient) -> None:  # type: ignore[type-arg]
    (ada,) = await node.agents.list_users(ACCOUNT)
    bearer = (await sign_in(client, PASSWORD))["bearer"]
    answer = await client.put(
        f"/api/account/{ACCOUNT}/configuration/setting/properties/messaging.file.sharing.enabled",
        json={"id": "messaging.file.sharing.enabled", "type": 1, "propertyValue": {"value": "true"}},
        headers={"Authorization": f"Bearer {bearer}"},
    )
    assert answer.status < 300, await answer.text()
    changed = (await records(node))[-1]
    assert (changed.act, changed.subject) == ("setting changed", "property messaging.file.sharing.enabled")
    assert (changed.actor, changed.address) == (ada.id, "127.0.0.1")
    await sign_in(client, "wrong")  # on the same connection: nobody asks now
    assert (await records(node))[-1].actor == ""


async def test_every_service_that_changes_settings_or_people_has_the_trail(node: Node) -> None:
    services: list[Any] = [
        node.accounts, node.agents, node.services.sign_in, node.apps, node.services.skill_rules,
        node.services.automatic_messages,
    ]  # fmt: skip
    assert {type(service._acts) for service in services} == {Trail}
    assert isinstance(node.skills.acts, Trail)


async def test_nothing_is_changed_that_cannot_be_recorded(node: Node) -> None:
    async def unit(tx: object) -> None:
        await tx.execute("DELETE FROM audit_heads")  # type: ignore[attr-defined]

    await node.database.write(unit)
    with pytest.raises(Exception, match="audit trail"):
        await node.accounts.set_grants(ACCOUNT, {"Some.Feature": "true"})
    assert not await node.accounts.has_grant(ACCOUNT, "Some.Feature")


async def test_older_data_put_back_is_told_at_the_start_and_for_as_long_as_it_is_there(
    tmp_path: Path,
) -> None:
    node = await opened(tmp_path)
    await node.accounts.create(ACCOUNT)
    await node.close()
    shutil.copytree(tmp_path / "data", tmp_path / "older")
    node = await opened(tmp_path)
    for value in ("true", "false"):
        await node.accounts.set_grants(ACCOUNT, {"Some.Feature": value})
    await node.close()
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "older").rename(tmp_path / "data")
    with capture_logs() as said:
        node = await opened(tmp_path)
    assert "the audit trail lacks what was anchored" in {one["event"] for one in said}
    for value in ("true", "false", "true", "false"):
        await node.accounts.set_grants(ACCOUNT, {"Some.Feature": value})
    await node.keys.anchors.keep()
    assert b"talkwire_audit_trails_lacking 1.0" in node.metrics.render()
    anchor = await find_anchor(node.keys.key_store, ACCOUNT)
    assert anchor is not None
    report = await verify(node.database, ACCOUNT, anchor=anchor)
    assert report.head.number > anchor.head.number
    assert [finding.number for finding in report.findings] == [anchor.head.number]
    await node.close()


async def test_a_node_does_not_start_on_empty_data_with_keys_in_use(tmp_path: Path) -> None:
    node = await opened(tmp_path)
    await node.accounts.create(ACCOUNT)
    await node.close()
    with pytest.raises(MasterKeyWrong, match="knows nothing of them"):
        await opened(tmp_path, "unmounted")
    again = await opened(tmp_path)
    await again.close()


async def test_a_node_s_settings_that_undo_a_promise_are_told_when_they_change(tmp_path: Path) -> None:
    node = await opened(tmp_path)
    await node.accounts.create(ACCOUNT)
    await node.close()
    for clamd in ("", "", "tcp:127.0.0.1:9", "tcp:127.0.0.1:9", ""):
        node = await opened(tmp_path, clamd=clamd)
        told = [record for record in await records(node) if record.act == "setting changed"]
        await node.close()
    assert [(record.subject, record.actor, record.detail) for record in told] == [
        ("node setting rebuild", "server", '{"new":false,"old":null}'),
        ("node setting clamd", "server", '{"new":"tcp:127.0.0.1:9","old":""}'),
        ("node setting clamd", "server", '{"new":"","old":"tcp:127.0.0.1:9"}'),
    ]
