"""REST calls signed with an application key. Source: docs/protocol.md 3.3; RFC 5849."""

from urllib.parse import quote

import pytest

from identity_rooms import ACCOUNT, OTHER
from talkwire.identity.oauth import SignedRequest, parameters_of, signature_of
from talkwire.identity.session_store import ApiKey
from talkwire.kernel.ids import AccountId, ParticipantId
from web_rooms import Web

PATH = f"/api/account/{ACCOUNT}/configuration/setting/properties"


def header_of(given: dict[str, str]) -> str:
    return "OAuth " + ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in given.items())


def test_the_example_of_another_implementation_has_the_same_signature() -> None:
    """RFC 5849, 1.2: the photo that the printer asks for."""
    key = ApiKey(AccountId("1"), "dpf43f3p2l4k3l03", "kd94hf93k423kf44", "nnch734d00sl2jdk",
                 "pfkkdhi9sl3r4s00", ParticipantId("a"), 0)  # fmt: skip
    header = (
        'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", '
        'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH", '
        'oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"'
    )
    query = (("file", "vacation.jpg"), ("size", "original"))
    request = SignedRequest("GET", "photos.example.net", "/photos", query, header)
    given = parameters_of(header)
    assert signature_of(request, "http", given, key) == given["oauth_signature"]


class Signer:
    def __init__(self, web_rooms: Web, key: ApiKey) -> None:
        self.web, self.key, self.turn = web_rooms, key, 0

    def sign(self, *, path: str = PATH, method: str = "GET", **changes: str) -> dict[str, str]:
        self.turn += 1
        given = {
            "oauth_consumer_key": self.key.app_key,
            "oauth_token": self.key.access_token,
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": str(self.web.rooms.clock.now_ms() // 1000),
            "oauth_nonce": f"n{self.turn}",
            **changes,
        }
        host = f"{self.web.client.host}:{self.web.client.port}"
        query = (("v", "3.0"), ("x y", "ä/b"))
        request = SignedRequest(method, host, path, query, "")
        return {"oauth_signature": signature_of(request, "http", given, self.key), **given}

    async def get(self, given: dict[str, str], path: str = PATH) -> int:
        response = await self.web.client.get(
            path, params={"v": "3.0", "x y": "ä/b"}, headers={"Authorization": header_of(given)}
        )
        return response.status


@pytest.fixture
async def signer(web_rooms: Web) -> Signer:
    bot = await web_rooms.rooms.agents.find_by_login(ACCOUNT, "bot@brand")
    assert bot is not None
    return Signer(web_rooms, await web_rooms.rooms.api_keys.create(ACCOUNT, bot.id))


async def test_a_signed_request_is_good_once(signer: Signer) -> None:
    given = signer.sign()
    assert await signer.get(given) == 200
    assert await signer.get(given) == 401
    assert await signer.get(signer.sign()) == 200


async def test_a_signed_request_is_good_for_five_minutes(signer: Signer) -> None:
    given = signer.sign()
    signer.web.rooms.clock.advance(seconds=301)
    assert await signer.get(given) == 401


async def test_a_signature_covers_method_path_parameters_and_account(signer: Signer) -> None:
    forged = [
        signer.sign(method="PUT"),
        signer.sign(path=PATH + "/x"),
        {**signer.sign(), "oauth_nonce": "another"},
        {**signer.sign(), "oauth_signature": "AAAA"},
        signer.sign(oauth_signature_method="PLAINTEXT"),
        signer.sign(oauth_token="another"),
        signer.sign(oauth_consumer_key="another"),
        signer.sign(oauth_timestamp="soon"),
        signer.sign(oauth_nonce=""),
        {},
    ]
    for given in forged:
        assert await signer.get(given) == 401
    elsewhere = f"/api/account/{OTHER}/configuration/setting/properties"
    assert await signer.get(signer.sign(path=elsewhere), elsewhere) == 401


async def test_a_key_that_was_taken_back_signs_nothing(signer: Signer) -> None:
    await signer.web.rooms.api_keys.delete(ACCOUNT, signer.key.app_key)
    assert await signer.get(signer.sign()) == 401
