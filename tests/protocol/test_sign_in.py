"""Agents sign in, stay and leave; consumers get tokens. Source: docs/protocol.md 3."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from identity_rooms import ACCOUNT, OTHER, PASSWORD
from talkwire.httpapi.discovery import BaseHost
from web_rooms import Web

LOGIN = {"username": "admin@brand", "password": PASSWORD}


async def sign_in(web_rooms: Web, name: str = "admin@brand", path: str = "login?v=1.3") -> dict[str, Any]:
    response = await web_rooms.call("POST", path, json={"username": name, "password": PASSWORD})
    assert response.status == 200, await response.text()
    body: dict[str, Any] = await response.json()
    return body


@pytest.mark.parametrize("version", ["", "?v=1.0", "?v=1.1", "?v=1.2", "?v=1.3"])
async def test_the_answer_has_what_all_clients_together_need(version: str, web_rooms: Web) -> None:
    body = await sign_in(web_rooms, path=f"login{version}")
    agent = await web_rooms.rooms.agents.find_by_login(ACCOUNT, "admin@brand")
    assert agent is not None
    assert len(body["bearer"]) == 64
    assert set(body["bearer"]) <= set("0123456789abcdef")  # it goes into a path, unescaped
    assert body["csrf"]
    assert body["sessionTTl"] == "1800000"
    config = body["config"]
    assert (config["userId"], config["userPid"]) == (agent.user_id, agent.id)
    assert (config["loginName"], config["isAdmin"], config["isLPA"]) == ("admin@brand", True, False)
    assert config["userPrivileges"] == [1, 2, 3, 4]
    assert isinstance(config["serverCurrentTime"], int)
    assert config["accountTimeZoneId"]
    entries = body["csdsCollectionResponse"]["baseURIs"]
    assert {"account", "service", "baseURI"} == set(entries[0])
    assert body["accountData"]["agentGroupsData"]["items"][0]["id"] == -1


@pytest.mark.parametrize(
    "base_host",
    [
        BaseHost(),
        BaseHost("chat.example"),
        BaseHost("chat.example", storage_host="files.example:8443"),
        BaseHost(storage_port=8444),
    ],
    ids=["one host", "a public host", "a host for files", "a port for files"],
)
async def test_signing_in_tells_the_same_hosts_as_discovery(base_host: BaseHost, web_rooms: Web) -> None:
    found = await web_rooms.call("GET", "service/baseURI.json?version=1.0")
    assert (await sign_in(web_rooms))["csdsCollectionResponse"] == await found.json()


async def test_the_cookie_is_for_this_host_and_no_script(web_rooms: Web) -> None:
    response = await web_rooms.call("POST", "login", json=LOGIN)
    cookie = response.cookies["Session_id"]
    assert cookie["path"] == "/"
    assert cookie["httponly"]
    assert cookie["domain"] == ""
    assert not cookie["secure"]  # this server is without TLS


async def test_only_an_administrator_is_one(web_rooms: Web) -> None:
    assert (await sign_in(web_rooms, "agent@brand"))["config"]["isAdmin"] is False


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "admin@brand", "password": "wrong horse"}, 401),
        ({"username": "nobody@brand", "password": PASSWORD}, 401),
        ({"appKey": "a", "secret": "b", "accessToken": "c", "accessTokenSecret": "d"}, 401),
        ({"jwt": "dummy", "assertion": "PHNhbWw+"}, 400),
        ({"username": "admin@brand"}, 400),
        ({"username": 7, "password": ["x"]}, 400),
        ({}, 400),
        ([], 400),
    ],
)
async def test_a_refusal_is_an_object_with_error_and_internal_code(
    body: object, status: int, web_rooms: Web
) -> None:
    response = await web_rooms.call("POST", "login?v=1.3", json=body)
    answer = await response.json()
    assert response.status == status
    assert response.content_type == "application/json"
    assert answer["internalCode"] == answer["error"]["internalCode"] == 10
    assert answer["error"]["message"]
    assert "Session_id" not in response.cookies


async def test_a_body_that_is_no_json_is_refused(web_rooms: Web) -> None:
    for raw in (b"{", b"\xff", b"[" * 2000):
        response = await web_rooms.call("POST", "login", data=raw)
        assert response.status == 400
        assert "error" in await response.json()


async def test_an_unknown_account_lets_nobody_in(web_rooms: Web) -> None:
    assert (await web_rooms.call("POST", "/api/account/0/login", json=LOGIN)).status == 401


async def test_the_eleventh_wrong_password_is_told_to_wait(web_rooms: Web) -> None:
    for _ in range(10):
        await web_rooms.call("POST", "login", json={**LOGIN, "password": "wrong horse"})
    response = await web_rooms.call("POST", "login", json=LOGIN)
    assert response.status == 429
    assert int(response.headers["Retry-After"]) >= 1


async def test_a_refresh_needs_cookie_and_csrf_and_changes_neither(web_rooms: Web) -> None:
    body = await sign_in(web_rooms)
    for _ in range(3):
        response = await web_rooms.call("POST", "refresh?v=1.3", json={"csrf": body["csrf"]})
        assert response.status == 200
        assert response.content_type == "application/json"
        assert await response.read() == b""
    properties = await web_rooms.call("GET", "configuration/setting/properties", body["bearer"])
    assert properties.status == 200


@pytest.mark.parametrize("body", [{"csrf": "wrong"}, {}, {"csrf": 7}, None])
async def test_a_refresh_with_a_wrong_csrf_token_says_so(body: object, web_rooms: Web) -> None:
    await sign_in(web_rooms)
    response = await web_rooms.call("POST", "refresh", json=body)
    assert response.status == 401
    error = (await response.json())["error"]
    assert error["message"].startswith("CSRF token invalid")
    assert (error["internalCode"], error["responseStatus"]) == (10, "UNAUTHORIZED")
    assert isinstance(error["time"], int)


async def test_a_refresh_without_the_cookie_is_refused(web_rooms: Web) -> None:
    body = await sign_in(web_rooms)
    web_rooms.client.session.cookie_jar.clear()
    assert (await web_rooms.call("POST", "refresh", json={"csrf": body["csrf"]})).status == 401


async def test_leaving_ends_the_bearer(web_rooms: Web) -> None:
    body = await sign_in(web_rooms)
    assert (await web_rooms.call("POST", "logout?v=1.3", json={"csrf": "wrong"})).status == 401
    assert (await web_rooms.call("POST", "logout?v=1.3", json={"csrf": body["csrf"]})).status == 200
    assert (await web_rooms.call("GET", "configuration/setting/properties", body["bearer"])).status == 401
    assert (await web_rooms.call("POST", "refresh", json={"csrf": body["csrf"]})).status == 401


async def test_leaving_by_bearer_works_for_who_keeps_no_cookies(web_rooms: Web) -> None:
    body = await sign_in(web_rooms)
    web_rooms.client.session.cookie_jar.clear()
    assert (await web_rooms.call("POST", "logout", body["bearer"])).status == 200
    assert (await web_rooms.call("POST", "logout", body["bearer"])).status == 401


async def test_a_bot_signs_in_with_an_application_key(web_rooms: Web) -> None:
    administrator = await web_rooms.bearer_of("admin@brand")
    bot = await web_rooms.rooms.agents.find_by_login(ACCOUNT, "bot@brand")
    assert bot is not None
    made = await web_rooms.call("POST", f"configuration/le-users/users/{bot.user_id}/api-keys", administrator)
    assert made.status == 201
    key = await made.json()
    response = await web_rooms.call("POST", "login?v=1.3", json={"username": "bot@brand", **key})
    assert (await response.json())["config"]["userPid"] == bot.id
    gone = await web_rooms.call("DELETE", f"configuration/api-keys/{key['appKey']}", administrator)
    assert gone.status == 200
    assert (await web_rooms.call("POST", "login?v=1.3", json=key)).status == 401


@pytest.mark.parametrize(
    "form", ["Bearer {}", "bearer {}", "BEARER   {}", "jwt {}", "JWT {}", "{}", "Bearer: {}"]
)
async def test_a_token_is_taken_with_any_scheme_or_none(form: str, web_rooms: Web) -> None:
    bearer = await web_rooms.bearer_of("agent@brand")
    response = await web_rooms.call(
        "GET", "configuration/setting/properties", headers={"authorization": form.format(bearer)}
    )
    assert response.status == 200


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "x" * 5000, "jwt a.b.c"]
)
async def test_a_header_without_a_good_token_is_401(value: str, web_rooms: Web) -> None:
    response = await web_rooms.call(
        "GET", "configuration/setting/properties", headers={"Authorization": value}
    )
    assert response.status == 401
    assert (await response.json())["body"]["errorCode"] == 40101


async def test_a_bearer_opens_its_own_account_only(web_rooms: Web) -> None:
    bearer = await web_rooms.bearer_of("admin@brand")
    path = f"/api/account/{OTHER}/configuration/setting/properties"
    assert (await web_rooms.call("GET", path, bearer)).status == 401
    assert (
        await web_rooms.call("GET", "/api/account/0/configuration/setting/properties", bearer)
    ).status == 401


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


@pytest.mark.parametrize("body", [None, b"", b"{}", b"anything"])
async def test_a_consumer_signs_up_with_any_body_or_none(body: bytes | None, web_rooms: Web) -> None:
    response = await web_rooms.call("POST", "signup", data=body)
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    claims = claims_of((await response.json())["jwt"])
    assert len(claims["sub"]) == 36
    assert claims["aud"] == f"acc:{ACCOUNT}"


async def test_a_page_signs_a_consumer_up_by_script(web_rooms: Web) -> None:
    response = await web_rooms.call("GET", "signup.jsonp?callback=welcome")
    text = await response.text()
    assert text.startswith("/**/welcome({")
    assert claims_of(json.loads(text[len("/**/welcome(") : -2])["jwt"])["sub"]


async def test_nobody_signs_up_with_an_unknown_account(web_rooms: Web) -> None:
    for path in ("signup", "authenticate", "anonymous/authorize"):
        response = await web_rooms.call("POST", f"/api/account/0/{path}", json={"authCode": "x"})
        assert response.status == 401


async def test_an_anonymous_visitor_renews_its_token(web_rooms: Web) -> None:
    first = (await (await web_rooms.call("POST", "anonymous/authorize", json={})).json())["token"]
    renewed = await web_rooms.call("POST", "anonymous/authorize", json={"id_token": first})
    assert claims_of((await renewed.json())["token"])["sub"] == claims_of(first)["sub"]
    bad = await web_rooms.call("POST", "anonymous/authorize", json={"id_token": "a.b.c"})
    assert bad.status == 401


async def test_a_brand_s_own_customer_comes_in_by_its_key(web_rooms: Web) -> None:
    administrator = await web_rooms.bearer_of("admin@brand")
    key = rsa.generate_private_key(65_537, 2048)
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    put = await web_rooms.call(
        "PUT", "configuration/consumer-keys/main", administrator, json={"publicKey": pem.decode()}
    )
    assert put.status == 200
    now = web_rooms.rooms.clock.now_ms() // 1000
    code = jwt.encode({"sub": "c1", "iss": "bank", "exp": now + 60}, key, algorithm="RS256")
    response = await web_rooms.call("POST", "authenticate", json={"authCode": code})
    claims = claims_of((await response.json())["jwt"])
    assert len(claims["sub"]) == 64
    assert claims["lp.ext"] == {"sub": "c1", "iss": "bank"}
    listed = await web_rooms.call("GET", "configuration/consumer-keys", administrator)
    assert [one["id"] for one in await listed.json()] == ["main"]
    assert (await web_rooms.call("DELETE", "configuration/consumer-keys/main", administrator)).status == 200
    assert (await web_rooms.call("POST", "authenticate", json={"authCode": code})).status == 401
    assert (await web_rooms.call("POST", "authenticate", json={})).status == 400


async def test_keys_change_hands_without_signing_anyone_out(web_rooms: Web) -> None:
    administrator = await web_rooms.bearer_of("admin@brand")
    first = (await (await web_rooms.call("POST", "signup")).json())["jwt"]
    assert (await web_rooms.call("POST", "configuration/signing-keys", administrator)).status == 201
    assert (await web_rooms.call("POST", "configuration/signing-keys")).status == 401
    await web_rooms.rooms.consumers.principal_of_jwt(ACCOUNT, first)
