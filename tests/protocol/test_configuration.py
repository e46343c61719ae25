"""What administrators configure over HTTP. Source: docs/protocol.md 10."""

from typing import Any

import pytest

from identity_rooms import ACCOUNT, OTHER, PASSWORD
from talkwire.accounts.properties import CONSUMER_FILE_SHARING
from web_rooms import Web

NAME = CONSUMER_FILE_SHARING.name
PROPERTIES = "configuration/setting/properties"
GRANTS = "configuration/provision/featureGrants?v=1.0&excludeLegacy=true&jsonProvider=gson"
USERS = "configuration/le-users/users"
SKILLS = "configuration/le-users/skills"


def switched(value: object, name: str = NAME) -> dict[str, Any]:
    return {"id": name, "type": 2, "propertyValue": {"value": value}, "deleted": "false"}


@pytest.fixture
async def admin(web_rooms: Web) -> str:
    return await web_rooms.bearer_of("admin@brand")


@pytest.mark.parametrize(
    "path", [f"{PROPERTIES}/{NAME}?v=3.0", f"{PROPERTIES}/?v=3.0", f"{PROPERTIES}?v=3.0"]
)
@pytest.mark.parametrize("value", ["true", True])
async def test_the_published_script_switches_file_sharing_on(
    path: str, value: object, web_rooms: Web, admin: str
) -> None:
    """With an unset variable it sends an empty path segment and the name in the body only."""
    response = await web_rooms.call("PUT", path, admin, json=switched(value), headers={"If-Match": "-1"})
    assert response.status == 200
    assert response.headers["ac-revision"] == "1"
    stored = await response.json()
    assert (stored["id"], stored["type"], stored["propertyValue"]) == (NAME, 2, {"value": value})
    assert stored["deleted"] is False
    assert await web_rooms.rooms.accounts.value(ACCOUNT, CONSUMER_FILE_SHARING) is True
    assert await web_rooms.rooms.accounts.value(OTHER, CONSUMER_FILE_SHARING) is False


async def test_properties_are_read_one_by_one_and_all(web_rooms: Web, admin: str) -> None:
    assert (await web_rooms.call("GET", f"{PROPERTIES}/{NAME}?v=3.0", admin)).status == 404
    await web_rooms.call("PUT", f"{PROPERTIES}/{NAME}", admin, json=switched("true"))
    agent = await web_rooms.bearer_of("agent@brand")
    one = await web_rooms.call("GET", f"{PROPERTIES}/{NAME}?v=3.0", agent)
    many = await web_rooms.call("GET", f"{PROPERTIES}?v=3.0&context_type=ACCOUNT&source=ccui", agent)
    assert await many.json() == [await one.json()]
    assert many.headers["ac-revision"] == one.headers["ac-revision"] == "1"
    assert {"id", "type", "propertyValue", "createdDate", "modifiedDate", "deleted"} == set(await one.json())


async def test_a_property_may_be_created_on_the_collection_and_deleted(web_rooms: Web, admin: str) -> None:
    assert (await web_rooms.call("POST", PROPERTIES, admin, json=switched(7, "a.b"))).status == 200
    gone = {**switched(7, "a.b"), "deleted": "true"}
    assert (await web_rooms.call("PUT", f"{PROPERTIES}/a.b", admin, json=gone)).status == 200
    assert (await web_rooms.call("GET", f"{PROPERTIES}/a.b", admin)).status == 404


async def test_a_writer_with_an_old_revision_is_refused(web_rooms: Web, admin: str) -> None:
    path = f"{PROPERTIES}/{NAME}"
    for revision, status in (("0", 200), ("0", 412), ('"1"', 200), ("2", 200), ("x", 400), ("-1", 200)):
        response = await web_rooms.call(
            "PUT", path, admin, json=switched("true"), headers={"If-Match": revision}
        )
        assert response.status == status, revision


@pytest.mark.parametrize(
    "body",
    [
        {}, [], {"id": NAME}, {"id": NAME, "propertyValue": "x"}, {"id": NAME, "propertyValue": {}},
        {"propertyValue": {"value": 1}}, {**switched(1), "id": "a/b"}, {**switched(1), "type": "x"},
        switched("x" * 70_000),
    ],
)  # fmt: skip
async def test_half_a_property_is_refused(body: object, web_rooms: Web, admin: str) -> None:
    assert (await web_rooms.call("PUT", f"{PROPERTIES}/", admin, json=body)).status == 400


WRITES = [
    ("PUT", f"{PROPERTIES}/{NAME}", switched("true")),
    ("POST", PROPERTIES, switched("true")),
    ("POST", GRANTS, {"compoundFeatureID": "a", "value": {"value": "true"}}),
    ("POST", USERS, {"loginName": "x", "password": PASSWORD}),
    ("PUT", f"{USERS}/1", {}),
    ("DELETE", f"{USERS}/1", None),
    ("PUT", "configuration/le-users/profiles/bot", {"privileges": {"SEND_FILES": True}}),
    ("POST", SKILLS, {"name": "x"}),
    ("PUT", f"{SKILLS}/1", {"name": "x"}),
    ("DELETE", f"{SKILLS}/1", None),
    ("PUT", "configuration/campaigns", {"campaignId": "1", "skillId": "-1"}),
    ("GET", "configuration/campaigns", None),
    ("GET", "configuration/consumer-keys", None),
    ("PUT", "configuration/consumer-keys/x", {}),
    ("DELETE", "configuration/consumer-keys/x", None),
    ("POST", "configuration/signing-keys", None),
    ("POST", f"{USERS}/1/api-keys", None),
    ("DELETE", "configuration/api-keys/x", None),
]
READS = [
    PROPERTIES,
    f"{PROPERTIES}/{NAME}",
    GRANTS,
    USERS,
    SKILLS,
    f"{SKILLS}/1",
    "configuration/le-users/profiles",
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_only_administrators_configure(method: str, path: str, body: object, web_rooms: Web) -> None:
    assert (await web_rooms.call(method, path, json=body)).status == 401
    for name in ("agent@brand", "bot@brand"):
        assert (await web_rooms.call(method, path, await web_rooms.bearer_of(name), json=body)).status == 403
    foreign = (await web_rooms.rooms.signed_in("admin@brand", OTHER)).bearer
    assert (await web_rooms.call(method, path, foreign, json=body)).status == 401


@pytest.mark.parametrize("path", READS)
async def test_only_people_of_the_brand_read(path: str, web_rooms: Web) -> None:
    foreign = (await web_rooms.rooms.signed_in("admin@brand", OTHER)).bearer
    consumer = await web_rooms.rooms.consumers.sign_up(ACCOUNT)
    for token in ("", foreign, consumer):
        response = await web_rooms.call("GET", path, token)
        assert response.status == 401
        assert response.content_type == "application/json"


async def test_features_are_granted_in_the_shape_they_are_read(web_rooms: Web, admin: str) -> None:
    item = {"compoundFeatureID": "Common.Async_Messaging", "value": {"value": True}}
    nested = {"appDataList": [{"accountList": {"accountList": [{"itemsCollection": {"data": [item]}}]}}]}
    path = "configuration/provision/featureGrants?v=1.0&overrideAll=false&jsonProvider=gson"
    written = await web_rooms.call("POST", path, admin, json=nested)
    assert written.status == 200
    read = await web_rooms.call("GET", GRANTS, admin)
    data = (await read.json())["appDataList"][0]["accountList"]["accountList"][0]["itemsCollection"]["data"]
    assert data == [{"compoundFeatureID": "Common.Async_Messaging", "value": {"value": "true"}}]
    assert await web_rooms.rooms.accounts.has_grant(ACCOUNT, "Common.Async_Messaging")
    assert (await web_rooms.call("POST", path, admin, json={})).status == 400


async def test_a_user_is_made_read_changed_and_taken_away(web_rooms: Web, admin: str) -> None:
    new = {
        "loginName": "ann@brand", "password": PASSWORD, "fullName": "Ann A", "nickname": "Ann",
        "email": "ann@brand.example", "profileIds": [2], "skillIds": [1, "2"], "maxChats": "7",
    }  # fmt: skip
    made = await web_rooms.call("POST", f"{USERS}?v=5.0", admin, json=new)
    assert made.status == 201
    user = await made.json()
    assert (user["profiles"], user["skillIds"], user["maxChats"]) == (
        [{"id": 2, "name": "manager"}],
        [1, 2],
        7,
    )
    assert "password" not in str(user).lower()
    revision = made.headers["ac-revision"]
    path = f"{USERS}/{user['id']}"
    changed = await web_rooms.call(
        "PUT", path, admin, json={"nickname": "Annie", "isEnabled": False}, headers={"If-Match": revision}
    )
    assert (await changed.json())["nickname"] == "Annie"
    stale = await web_rooms.call("PUT", path, admin, json={"nickname": "B"}, headers={"If-Match": revision})
    assert stale.status == 412
    read = await web_rooms.call("GET", f"{USERS}/{user['pid']}?v=5.0&select=$all'", admin)
    assert await read.json() == {
        **user,
        "nickname": "Annie",
        "isEnabled": False,
        "revision": user["revision"] + 1,
    }
    assert (await web_rooms.call("DELETE", path, admin)).status == 200
    assert (await web_rooms.call("GET", path, admin)).status == 404
    assert (await web_rooms.call("DELETE", path, admin)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {}, {"loginName": "x"}, {"loginName": "x", "password": "short"}, "x",
        {"loginName": "x", "password": PASSWORD, "profileIds": [99]},
        {"loginName": "x", "password": PASSWORD, "maxChats": "many"},
        {"loginName": "x", "password": PASSWORD, "grantedPrivileges": ["FLY"]},
        {"loginName": 7, "password": PASSWORD},
    ],
)  # fmt: skip
async def test_a_user_that_cannot_be_is_refused(body: object, web_rooms: Web, admin: str) -> None:
    assert (await web_rooms.call("POST", USERS, admin, json=body)).status == 400


async def test_a_login_name_is_taken_once(web_rooms: Web, admin: str) -> None:
    body = {"loginName": "Agent@Brand", "password": PASSWORD}
    assert (await web_rooms.call("POST", USERS, admin, json=body)).status == 409


async def test_users_are_listed_whole_or_by_member(web_rooms: Web, admin: str) -> None:
    for query in ("", "?v=5.0&select=$all", "?select=%24all%22", "?select=nothing"):
        response = await web_rooms.call("GET", f"{USERS}{query}", admin)
        assert {user["loginName"] for user in await response.json()} == {
            "admin@brand",
            "agent@brand",
            "bot@brand",
        }
        assert response.headers["ac-revision"] == "3"
    some = await (await web_rooms.call("GET", f"{USERS}?select=id,loginName", admin)).json()
    assert all(set(user) == {"id", "loginName"} for user in some)


async def test_the_public_sees_a_face_by_pid_and_nothing_by_number(web_rooms: Web, admin: str) -> None:
    agent = await web_rooms.rooms.agents.find_by_login(ACCOUNT, "agent@brand")
    assert agent is not None
    await web_rooms.call(
        "PUT", f"{USERS}/{agent.id}", admin, json={"nickname": "Ann", "pictureUrl": "https://p"}
    )
    response = await web_rooms.call("GET", f"{USERS}/{agent.id}?v=3.0")
    assert await response.json() == {
        "pictureUrl": "https://p",
        "employeeId": "",
        "nickname": "Ann",
        "fullName": "",
    }
    script = await web_rooms.call("GET", f"{USERS}/{agent.id}?cb=show")
    assert (await script.text()).startswith('/**/show({"pictureUrl":"https://p"')
    for path in (
        f"{USERS}/{agent.user_id}",
        f"{USERS}/{agent.old_id}",
        f"/api/account/{OTHER}/{USERS}/{agent.id}",
    ):
        assert (await web_rooms.call("GET", path)).status == 404


async def test_a_profile_may_be_allowed_to_send_files(web_rooms: Web, admin: str) -> None:
    path = "configuration/le-users/profiles"
    before = {
        one["name"]: one["permissions"] for one in await (await web_rooms.call("GET", path, admin)).json()
    }
    assert not any("SEND_FILES" in permissions for permissions in before.values())
    body = {"privileges": {"SEND_FILES": True, "send_files_from_widgets": True, "JOIN_AS_MANAGER": False}}
    response = await web_rooms.call("PUT", f"{path}/bot", admin, json=body)
    after = set((await response.json())["permissions"])
    assert after == set(before["bot"]) - {"JOIN_AS_MANAGER"} | {"SEND_FILES", "SEND_FILES_FROM_WIDGETS"}
    assert (await web_rooms.call("PUT", f"{path}/boss", admin, json=body)).status == 400
    assert (
        await web_rooms.call("PUT", f"{path}/bot", admin, json={"privileges": {"FLY": True}})
    ).status == 400


async def test_a_skill_is_made_read_changed_and_taken_away(web_rooms: Web, admin: str) -> None:
    made = await web_rooms.call("POST", f"{SKILLS}?v=2.0", admin, json={"name": "Sales"})
    skill = await made.json()
    assert (made.status, skill["name"], skill["deleted"]) == (201, "Sales", False)
    path, revision = f"{SKILLS}/{skill['id']}", made.headers["ac-revision"]
    changed = await web_rooms.call(
        "PUT", path, admin, json={"name": "Service"}, headers={"If-Match": revision}
    )
    assert (await changed.json())["name"] == "Service"
    stale = await web_rooms.call("PUT", path, admin, json={"name": "S"}, headers={"If-Match": revision})
    assert stale.status == 412
    agent = await web_rooms.bearer_of("agent@brand")
    listed = await web_rooms.call("GET", f"{SKILLS}?v=2.0&select=$all", agent)
    assert [one["name"] for one in await listed.json()] == ["Service"]
    assert (await (await web_rooms.call("GET", path, agent)).json())["name"] == "Service"
    assert (await web_rooms.call("DELETE", path, admin)).status == 200
    assert (await web_rooms.call("GET", path, admin)).status == 404


async def test_an_engagement_is_led_to_a_skill_that_exists(web_rooms: Web, admin: str) -> None:
    skill = await (await web_rooms.call("POST", SKILLS, admin, json={"name": "Sales"})).json()
    body = {"campaignId": 11, "engagementId": "22", "skillId": skill["id"]}
    path = "configuration/campaigns"
    assert (await web_rooms.call("PUT", path, admin, json=body)).status == 200
    assert await web_rooms.rooms.accounts.skill_of_campaign(ACCOUNT, "11", "22") == str(skill["id"])
    assert await (await web_rooms.call("GET", path, admin)).json() == [
        {"campaignId": "11", "engagementId": "22", "skillId": str(skill["id"])}
    ]
    assert (await web_rooms.call("PUT", path, admin, json={**body, "skillId": "5"})).status == 404
    assert (await web_rooms.call("PUT", path, admin, json={"skillId": "-1"})).status == 400
