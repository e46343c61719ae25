"""How clients find the services of a brand. Source: docs/protocol.md 2."""

import json
import re

import pytest

from identity_rooms import ACCOUNT
from talkwire.accounts.domains import SERVICE_NAMES
from talkwire.httpapi.discovery import BaseHost
from web_rooms import Web

API = f"/api/account/{ACCOUNT}/service"
CSDR = f"/csdr/account/{ACCOUNT}/service"


def host_of(web_rooms: Web) -> str:
    return f"{web_rooms.client.host}:{web_rooms.client.port}"


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/baseURI.json?version=1.0",
        f"{API}/baseURI?version=1.0",
        f"{CSDR}/baseURI.json?version=1.0",
        f"{API}/baseURI",
    ],
)
async def test_every_service_is_named_with_its_account_and_a_host_to_dial(path: str, web_rooms: Web) -> None:
    response = await web_rooms.call("GET", path)
    assert response.status == 200
    assert response.content_type == "application/json"
    entries = (await response.json())["baseURIs"]
    assert {entry["service"] for entry in entries} == set(SERVICE_NAMES)
    assert {entry["account"] for entry in entries} == {ACCOUNT}
    assert {entry["baseURI"] for entry in entries} == {host_of(web_rooms)}


@pytest.mark.parametrize("prefix", [API, CSDR])
async def test_one_service_is_one_object(prefix: str, web_rooms: Web) -> None:
    response = await web_rooms.call("GET", f"{prefix}/asyncMessagingEnt/baseURI.json?version=1.0")
    assert await response.json() == {
        "service": "asyncMessagingEnt",
        "account": ACCOUNT,
        "baseURI": host_of(web_rooms),
    }


async def test_a_service_asked_for_by_query_stands_at_the_top_as_well(web_rooms: Web) -> None:
    body = await (await web_rooms.call("GET", f"{API}/baseURI.json?version=1.0&service=swift")).json()
    assert (body["service"], body["account"], body["baseURI"]) == ("swift", ACCOUNT, host_of(web_rooms))
    assert len(body["baseURIs"]) == len(SERVICE_NAMES)
    unknown = await (await web_rooms.call("GET", f"{API}/baseURI.json?service=nothing")).json()
    assert "baseURI" not in unknown


@pytest.mark.parametrize("service", ["", "/agentVep"])
async def test_a_page_is_told_by_script(service: str, web_rooms: Web) -> None:
    response = await web_rooms.call("GET", f"{CSDR}{service}/baseURI.lpCsds?version=1.0&cb=lp.found_1")
    assert response.status == 200
    assert response.content_type == "application/javascript"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    found = re.fullmatch(r"/\*\*/lp\.found_1\((.*)\);", await response.text())
    assert found
    data = json.loads(found[1])["ResultSet"]["lpData"]
    assert data[0]["lpServer"] == host_of(web_rooms)
    assert len(data) == (1 if service else len(SERVICE_NAMES))


async def test_a_failure_is_told_by_script_too(web_rooms: Web) -> None:
    for path in ("/csdr/account/0/service/swift/baseURI.lpCsds", f"{CSDR}/nothing/baseURI.lpCsds"):
        response = await web_rooms.call("GET", f"{path}?cb=f")
        assert response.status == 200
        assert '"lpCallError"' in await response.text()


@pytest.mark.parametrize(
    "callback", ["", "alert(1)//", "a b", "1a", "a..b", "a" * 129, "<script>", "ä", "f\n"]
)
async def test_a_callback_that_is_more_than_a_name_is_refused(callback: str, web_rooms: Web) -> None:
    for path in (f"{CSDR}/baseURI.lpCsds?cb=", f"/api/account/{ACCOUNT}/signup.jsonp?callback="):
        response = await web_rooms.client.get(path + callback.replace("\n", "%0A"))
        assert response.status == 400
        assert response.content_type == "application/json"


async def test_an_unknown_account_is_401_and_an_unknown_service_404(web_rooms: Web) -> None:
    assert (await web_rooms.call("GET", "/api/account/0/service/baseURI.json")).status == 401
    assert (await web_rooms.call("GET", "/api/account/..%2F/service/baseURI.json")).status == 401
    assert (await web_rooms.call("GET", f"{API}/nothing/baseURI.json")).status == 404


@pytest.mark.parametrize("host", ["evil.example/x", "a b", "user@host", "host:99999", ""])
async def test_a_host_header_that_is_no_host_is_not_repeated(host: str, web_rooms: Web) -> None:
    response = await web_rooms.call("GET", f"{API}/baseURI.json", headers={"Host": host})
    assert response.status == 400


async def test_clients_are_told_the_name_they_used(web_rooms: Web) -> None:
    response = await web_rooms.call("GET", f"{API}/swift/baseURI.json", headers={"Host": "chat.example.org"})
    assert (await response.json())["baseURI"] == "chat.example.org"


class TestWithAPublicName:
    @pytest.fixture
    def base_host(self) -> BaseHost:
        return BaseHost(public_host="chat.example.org:444")

    async def test_clients_are_told_the_public_name_whatever_they_used(self, web_rooms: Web) -> None:
        response = await web_rooms.call("GET", f"{API}/swift/baseURI.json", headers={"Host": "x"})
        assert (await response.json())["baseURI"] == "chat.example.org:444"


class TestWithATlsPort:
    @pytest.fixture(params=[8443, 443])
    def tls_port(self, request: pytest.FixtureRequest) -> int:
        return int(request.param)

    @pytest.fixture
    def base_host(self, tls_port: int) -> BaseHost:
        return BaseHost(tls_port=tls_port)

    @pytest.mark.parametrize("host", ["localhost", "localhost:8080", "[::1]", "[::1]:8080"])
    async def test_who_asks_without_tls_is_led_to_the_port_with_it(
        self, host: str, tls_port: int, web_rooms: Web
    ) -> None:
        response = await web_rooms.call("GET", f"{API}/swift/baseURI.json", headers={"Host": host})
        name = "[::1]" if host.startswith("[") else "localhost"
        expected = name if tls_port == 443 else f"{name}:{tls_port}"
        assert (await response.json())["baseURI"] == expected
