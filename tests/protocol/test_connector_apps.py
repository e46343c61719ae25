"""App installations over HTTP. Source: docs/protocol.md 7.1."""

from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from protocol.connector import Answer, Connector
from protocol.stage import Cast, Json, Stage, new_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "configuration/app-install/installations"
HOOKS: Json = {
    "cqm.ExConversationChangeNotification": {"endpoint": "https://c.example/hook"},
    "ms.MessagingEventNotification.ContentEvent": {
        "endpoint": "https://c.example/hook",
        "headers": [{"header_name": "x", "header_value": "y"}],
        "max_retries": 3,
    },
    "ms.MessagingEventNotification.ChatStateEvent": {"endpoint": "https://c.example/typing"},
    "retry": {"retention_time": 86400},
}
WANTED: Json = {
    "client_name": "my connector",
    "description": "for SMS",
    "grant_types": ["client_credentials"],
    "response_types": [],
    "scope": "msg.consumer",
    "logo_uri": "",
    "enabled": True,
    "capabilities": {
        "webhooks": HOOKS,
        "engagement": {
            "entry_point": ["url"],
            "visitor_behavior": [],
            "consumer_identity": ["auth"],
            "design": {"x": 1},
        },
        "broadcast": {"enabled": False},
    },
}


@dataclass
class Office:
    """Where an administrator installs apps."""

    cast: Cast

    async def call(
        self, method: str, path: str = "", body: Any = None, by: str = "administrator", **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if by:
            sent["Authorization"] = f"Bearer {(await self.cast.person(by)).token}"
        caller = Connector(self.cast, "", "")
        return await caller.call(method, caller.url(f"{PATH}{path}?v=1.0"), json=body, headers=sent)

    async def install(self, **members: Any) -> Json:
        answer = await self.call("POST", body={**WANTED, **members})
        assert answer.status == 201, answer
        made: Json = answer.body
        return made


@pytest_asyncio.fixture(loop_scope="module")
async def office(stage: Stage) -> Office:
    return Office(await new_cast(stage))


async def test_an_app_is_installed_read_changed_and_let_go(office: Office) -> None:
    made = await office.install()
    assert made["id"] == made["client_id"]
    assert len(made["client_secret"]) == 64
    assert made["client_secret_expires_at"] == 0
    assert (made["deleted"], made["capabilities"]) == (False, WANTED["capabilities"])
    assert {name: made[name] for name in WANTED} == WANTED
    one = await office.call("GET", f"/{made['id']}")
    assert (one.status, one.body, one.headers["ac-revision"]) == (200, made, "1")
    assert one.headers["Cache-Control"] == "no-store"
    many = await office.call("GET")
    assert (many.body, many.headers["ac-revision"]) == ([made], "1")
    changed = await office.call("PUT", f"/{made['id']}", {**made, "client_name": "renamed"}, If_Match="1")
    assert (changed.status, changed.body["client_name"], changed.headers["ac-revision"]) == (
        200,
        "renamed",
        "2",
    )
    assert changed.body["client_secret"] == made["client_secret"]
    gone = await office.call("DELETE", f"/{made['id']}", If_Match="2")
    assert (gone.status, gone.headers["ac-revision"]) == (200, "3")
    assert (await office.call("GET", f"/{made['id']}")).status == 404
    assert (await office.call("GET")).body == []
    assert (await office.call("PUT", f"/{made['id']}", made)).status == 404


async def test_a_writer_with_an_old_revision_is_refused(office: Office) -> None:
    made = await office.install()
    path = f"/{made['id']}"
    for revision, status in (("0", 412), ('"1"', 200), ("1", 412), ("-1", 200), ("*", 200), ("x", 400)):
        assert (await office.call("PUT", path, {"enabled": True}, If_Match=revision)).status == status, (
            revision
        )
    assert (await office.call("DELETE", path, If_Match="1")).status == 412


async def test_capabilities_are_meant_whole(office: Office) -> None:
    made = await office.install()
    path = f"/{made['id']}"
    kept = await office.call("PUT", path, {"client_name": "x"})
    assert kept.body["capabilities"] == WANTED["capabilities"]
    fewer = {"webhooks": {"ms.MessagingEventNotification.ContentEvent": {"endpoint": "https://d.example/"}}}
    changed = await office.call("PUT", path, {"capabilities": fewer})
    assert changed.body["capabilities"] == fewer
    assert (await office.call("PUT", path, {"capabilities": {}})).body["capabilities"] == {"webhooks": {}}


async def test_a_method_may_be_said_by_header(office: Office) -> None:
    path = f"/{(await office.install())['id']}"
    renamed = await office.call("POST", path, {"client_name": "x"}, X_HTTP_Method_Override="PUT")
    assert (renamed.status, renamed.body["client_name"]) == (200, "x")
    assert (await office.call("PUT", path, {"enabled": False}, X_HTTP_Method_Override="PUT")).status == 200
    assert (await office.call("POST", path, {})).status == 400
    assert (await office.call("POST", path, None, X_HTTP_Method_Override="DELETE")).status == 200
    assert (await office.call("GET", path)).status == 404


async def test_an_update_that_says_deleted_lets_it_go(office: Office) -> None:
    made = await office.install()
    assert (await office.call("PUT", f"/{made['id']}", {**made, "deleted": True})).status == 200
    assert (await office.call("GET")).body == []


@pytest.mark.parametrize("deleted", [True, "true", "maybe", 1])
async def test_what_is_made_is_not_deleted(deleted: object, office: Office) -> None:
    assert (await office.call("POST", "", {**WANTED, "deleted": deleted})).status == 400
    assert (await office.call("GET")).body == []
    assert (await office.call("POST", "", {**WANTED, "deleted": False})).status == 201


async def test_what_a_client_may_not_choose_is_ours(office: Office) -> None:
    made = await office.install(id="mine", client_id="mine", client_secret="mine", client_id_issued_at=7)
    assert "mine" not in {made["id"], made["client_id"], made["client_secret"]}
    assert made["client_id_issued_at"] > 1_700_000_000


@pytest.mark.parametrize(
    "members",
    [
        {"client_name": ""}, {"description": "a\0b"}, {"capabilities": {"broadcast": {"\0": 1}}}, {"client_name": 7}, {"enabled": "maybe"}, {"grant_types": "x"}, {"scope": 7},
        {"capabilities": []}, {"capabilities": {"webhooks": []}}, {"capabilities": {"webhooks": {"x": {}}}},
        {"capabilities": {"webhooks": {"cqm.ExConversationChangeNotification": "https://a/b"}}},
        {"capabilities": {"webhooks": {"cqm.ExConversationChangeNotification": {}}}},
        {"capabilities": {"webhooks": {"cqm.ExConversationChangeNotification": {"endpoint": "http://a.example/"}}}},
        {"capabilities": {"webhooks": {"cqm.ExConversationChangeNotification": {"endpoint": "http://127.0.0.1/"}}}},
        {"capabilities": {"webhooks": {"retry": {"retention_time": 1}}}},
        {"capabilities": {"webhooks": {"retry": {"retention_time": "x"}}}},
        {"capabilities": {"webhooks": {"retry": 7}}},
        {"capabilities": {"webhooks": {"cqm.ExConversationChangeNotification": {"endpoint": "https://a/", "max_retries": 6}}}},
        {"capabilities": {"webhooks": {"cqm.ExConversationChangeNotification": {"endpoint": "https://a/", "headers": "x"}}}},
        {"capabilities": {"webhooks": {"cqm.ExConversationChangeNotification": {"endpoint": "https://a/", "headers": [7]}}}},
        {"capabilities": {"engagement": {"entry_point": ["a", "a"]}}},
    ],
)  # fmt: skip
async def test_what_could_not_work_is_refused(members: Json, office: Office) -> None:
    answer = await office.call("POST", body={**WANTED, **members})
    assert (answer.status, answer.number) == (400, 40001)
    assert (await office.call("GET")).body == []


async def test_a_body_that_is_none_is_refused(office: Office) -> None:
    bodies: tuple[Any, ...] = ([], 7, "x", None)
    for body in bodies:
        assert (await office.call("POST", body=body)).status == 400


async def test_only_administrators_see_secrets(office: Office) -> None:
    made = await office.install()
    for by, status in (("", 401), ("agent", 403), ("manager", 403), ("bot", 403), ("consumer", 401)):
        for method, path in (("GET", ""), ("GET", f"/{made['id']}"), ("POST", ""), ("PUT", f"/{made['id']}"), ("DELETE", f"/{made['id']}")):  # fmt: skip
            assert (await office.call(method, path, WANTED, by=by)).status == status, (by, method)


async def test_another_brands_app_is_none(office: Office, stage: Stage) -> None:
    made = await office.install()
    stranger = Office(await new_cast(stage))
    assert (await stranger.call("GET", f"/{made['id']}")).status == 404
    assert (await stranger.call("DELETE", f"/{made['id']}")).status == 404
    assert (await stranger.call("GET")).body == []


async def test_an_installed_app_works(office: Office) -> None:
    made = await office.install()
    connector = Connector(office.cast, made["client_id"], made["client_secret"])
    conversation_id = await connector.open()
    assert (await connector.say(conversation_id)).status == 200
    await office.call("PUT", f"/{made['id']}", {"enabled": False})
    assert (await connector.say(conversation_id)).status == 401


async def test_whoever_delivers_hears_of_changes(office: Office) -> None:
    heard: list[tuple[str, bool]] = []
    office.cast.stage.node.apps.on_change(lambda app: heard.append((app.client_id, app.is_in_use)))
    made = await office.install()
    await office.call("PUT", f"/{made['id']}", {"enabled": False})
    await office.call("DELETE", f"/{made['id']}")
    assert heard == [(made["id"], True), (made["id"], False), (made["id"], False)]
