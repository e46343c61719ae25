"""AppJWT and ConsumerJWS: how they are had, and which are refused. Source: docs/protocol.md 3.5, 3.6."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from protocol.connector import PROFILE, Answer, Connector, count_rows, install, new_connector, publish
from protocol.stage import new_cast, staged
from talkwire.connectors.model import AppDraft

pytestmark = pytest.mark.asyncio(loop_scope="module")


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def test_an_app_token_is_had_by_query_and_by_form(connector: Connector) -> None:
    form = {
        "client_id": connector.client_id, "client_secret": connector.secret, "grant_type": "client_credentials",
    }  # fmt: skip
    url = connector.url("app/token", "/sentinel")
    answers = [
        await connector.ask_token(),
        await connector.call("POST", url + "?v=1.0&grant_type=client_credentials", data=form),
        await connector.call("POST", url + "?v=1.0", data=form),
        await connector.call("POST", url, json=form),
        await connector.call(
            "POST", url, params=form, data=b"", headers={"Content-Type": "application/x-www-form-urlencoded"}
        ),
    ]
    for answer in answers:
        assert answer.status == 200, answer
        assert answer.body["token_type"] == "Bearer"
        assert answer.body["expires_in"] == 3600
        assert answer.headers["Cache-Control"] == "no-store"
        claims = claims_of(answer.body["access_token"])
        assert claims["aud"] == connector.cast.account
        assert claims["azp"] == connector.client_id
        assert (claims["iss"], claims["scope"]) == ("Sentinel", "msg.consumer")
        assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_id": "no-such-app"}, 401),
        ({"client_secret": "ünclear"}, 401),
        ({"client_secret": ""}, 400),
        ({"client_id": ""}, 400),
        ({"grant_type": "password"}, 400),
    ],
)
async def test_credentials_that_are_not_right_get_none(
    parameters: dict[str, str], status: int, connector: Connector
) -> None:
    answer = await connector.ask_token(**parameters)
    assert (answer.status, answer.number // 100) == (status, status)


async def test_an_unknown_account_has_no_apps(connector: Connector) -> None:
    url = connector.url("app/token", "/sentinel").replace(connector.cast.account, "no-such-account")
    answer = await connector.call("POST", url, data={"client_id": "x", "client_secret": "y"})
    assert answer.status == 401


@pytest.mark.parametrize("body", [b"\xff", b"&".join(b"a=1" for _ in range(1000))])
async def test_a_form_that_is_none_is_refused(body: bytes, connector: Connector) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = connector.url("app/token", "/sentinel")
    assert (await connector.call("POST", url, data=body, headers=headers)).status == 400


async def test_nobody_guesses_a_secret(connector: Connector) -> None:
    statuses = [(await connector.ask_token(client_secret=f"guess {n}")).status for n in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert (await connector.ask_token()).status == 429
    other = await install(connector.cast, "other")
    assert (await other.ask_token()).status == 200


async def test_a_consumer_token_says_who(connector: Connector) -> None:
    for authorization in ("{}", "Bearer {}", "bearer {}"):
        answer = await connector.call(
            "POST",
            connector.url("consumer"),
            json={"ext_consumer_id": "+49 170 1"},
            headers={"authorization": authorization.format(await connector.token())},
        )
        assert (answer.status, list(answer.body)) == (201, ["token"])
        claims = claims_of(answer.body["token"])
        assert set(claims) == {"account_id", "ext_consumer_id", "lp_consumer_id"}
        assert (claims["account_id"], claims["ext_consumer_id"]) == (connector.cast.account, "+49 170 1")
        assert len(claims["lp_consumer_id"]) == 64
        assert int(claims["lp_consumer_id"], 16)


@pytest.mark.parametrize("body", [{}, {"ext_consumer_id": ""}, {"ext_consumer_id": 7}, {"ext_consumer_id": "x" * 257}, []])  # fmt: skip
async def test_a_consumer_needs_a_name(body: Any, connector: Connector) -> None:
    headers = {"Authorization": await connector.token()}
    answer = await connector.call("POST", connector.url("consumer?v=1.0"), json=body, headers=headers)
    assert (answer.status, answer.number) == (400, 40001)


async def test_long_and_strange_names_work(connector: Connector) -> None:
    for name in ("x" * 256, "👍" * 256, "日本語 👍", "a/b?c=d&e", "'; DROP TABLE apps; --"):
        conversation_id = await connector.open(by=name)
        assert (await connector.say(conversation_id, by=name)).status == 200


async def test_without_an_app_token_there_is_no_consumer(connector: Connector) -> None:
    answer = await connector.call("POST", connector.url("consumer"), json={"ext_consumer_id": "x"})
    assert (answer.status, answer.number) == (401, 40105)


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def tampered_app_tokens(connector: Connector) -> dict[str, str]:
    """Tokens that look like ours, and are not."""
    token = await connector.token()
    head, body, signature = token.split(".")
    header, claims = jwt.get_unverified_header(token), claims_of(token)
    keys = connector.stage.node.services.consumers._keys
    public = await keys.find_public(connector.cast.account, header["kid"])
    assert public is not None
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    stranger = rsa.generate_private_key(65_537, 2048)
    unsigned = f"{segment({**header, 'alg': 'HS256'})}.{body}"
    import hashlib
    import hmac

    mac = (
        base64.urlsafe_b64encode(hmac.new(pem, unsigned.encode(), hashlib.sha256).digest())
        .rstrip(b"=")
        .decode()
    )
    sign = keys.sign
    account = connector.cast.account
    return {
        "alg none": f"{segment({**header, 'alg': 'none'})}.{body}.",
        "alg None with a signature": f"{segment({**header, 'alg': 'None'})}.{body}.{signature}",
        "HS256 by the public key": f"{unsigned}.{mac}",
        "another's signature": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": header["kid"]}),
        "an unknown key": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "nobody"}),
        "no key named": jwt.encode(claims, stranger, algorithm="RS256"),
        "other claims": f"{head}.{segment({**claims, 'azp': 'someone'})}.{signature}",
        "cut short": token[:-2],
        "no token": "hello",
        "dots": "..",
        "far too long": token + "A" * 7000,
        "no client": await sign(account, {k: v for k, v in claims.items() if k != "azp"}),
        "no end": await sign(account, {k: v for k, v in claims.items() if k != "exp"}),
        "an end that is none": await sign(account, {**claims, "exp": "soon"}),
        "another issuer": await sign(account, {**claims, "iss": "https://idp.liveperson.net"}),
        "another audience": await sign(account, {**claims, "aud": "someone"}),
        "an app that is none": await sign(account, {**claims, "azp": "someone"}),
        "expired": await sign(account, {**claims, "exp": claims["iat"] - 10}),
        "a consumer's JWT": await connector.stage.node.services.consumers.sign_up(account),
        "a ConsumerJWS": await connector.consumer(),
    }  # fmt: skip


async def try_all(connector: Connector, **headers: str) -> list[Answer]:
    """Everything one may ask with a pair of tokens."""
    return [
        await connector.post([PROFILE, connector.opening()], path="", **headers),
        await connector.send("ms.PublishEvent", publish("x", "y"), **headers),
    ]


async def test_app_tokens_that_are_not_ours_are_refused(connector: Connector) -> None:
    for name, token in (await tampered_app_tokens(connector)).items():
        for answer in await try_all(connector, Authorization=token):
            assert (answer.status, answer.number) == (401, 40102), name
        answer = await connector.call(
            "POST", connector.url("consumer"), json={"ext_consumer_id": "x"}, headers={"Authorization": token}
        )
        assert (answer.status, answer.number) == (401, 40102), name
    assert await count_rows(connector.stage, "conversations", connector.cast.account) == 0
    assert await count_rows(connector.stage, "consumers", connector.cast.account) == 0


async def test_consumer_tokens_that_are_not_ours_are_refused(connector: Connector) -> None:
    token = await connector.consumer()
    head, _, signature = token.split(".")
    claims = claims_of(token)
    twin, stranger = await install(connector.cast, "twin"), await install(await new_cast(connector.stage))
    keys = connector.stage.node.services.consumers._keys
    tampered = {
        "alg none": f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(claims)}.",
        "a guessed secret": jwt.encode(claims, "secret" * 8, algorithm="HS256"),
        "by our RSA key": await keys.sign(connector.cast.account, claims),
        "somebody else": f"{head}.{segment({**claims, 'ext_consumer_id': 'bob'})}.{signature}",
        "cut short": token[:-2],
        "no token": "hello",
        "an AppJWT": await connector.token(),
        "another app's": await twin.consumer(),
        "another account's": await stranger.consumer(),
    }
    for name, forged in tampered.items():
        for answer in await try_all(connector, X_LP_ON_BEHALF=forged):
            assert (answer.status, answer.number) == (401, 40103), name
    assert await count_rows(connector.stage, "conversations", connector.cast.account) == 0


async def test_an_app_token_is_good_for_its_account_only(connector: Connector) -> None:
    stranger = await install(await new_cast(connector.stage))
    for answer in await try_all(connector, Authorization=await stranger.token()):
        assert (answer.status, answer.number) == (401, 40102)


async def test_missing_headers_are_named(connector: Connector) -> None:
    for headers, number, details in (
        ({"Authorization": None}, 40105, "AUTHORIZATION header is not present"),
        ({"X_LP_ON_BEHALF": None}, 40104, "X_ON_BEHALF_HEADER is not present"),
        ({"X_LP_ON_BEHALF": ""}, 40104, "X_ON_BEHALF_HEADER is not present"),
        ({"Authorization": None, "X_LP_ON_BEHALF": None}, 40105, "AUTHORIZATION header is not present"),
    ):
        for answer in await try_all(connector, **headers):
            assert (answer.status, answer.number) == (401, number)
            assert answer.body["body"]["details"] == details


async def test_headers_may_be_written_in_any_way(connector: Connector) -> None:
    app_token, consumer_token = await connector.token(), await connector.consumer()
    for names in (("authorization", "x-lp-on-behalf"), ("AUTHORIZATION", "X-Lp-On-Behalf")):
        for scheme in ("", "Bearer ", "bearer "):
            headers = {names[0]: scheme + app_token, names[1]: scheme + consumer_token}
            url = connector.url("messaging/consumer/conversation?v=3")
            answer = await connector.call("POST", url, json=[connector.opening()], headers=headers)
            assert answer.status == 200, headers


async def test_an_app_token_ends_after_an_hour_and_a_consumer_token_never(tmp_path: Any) -> None:
    async with staged(tmp_path) as stage:
        connector = await new_connector(stage)
        conversation_id = await connector.open()
        stage.clock.advance(3_590)
        assert (await connector.say(conversation_id)).status == 200
        stage.clock.advance(11)
        late = await connector.say(conversation_id)
        assert (late.status, late.number) == (401, 40102)
        stage.clock.advance(400 * 86_400)
        await stage.node.services.consumers._keys.rotate(connector.cast.account)
        stage.clock.advance(40 * 86_400)
        connector.app_token = ""
        assert (await connector.say(conversation_id)).status == 200


async def test_an_app_that_is_off_is_off_at_once(connector: Connector) -> None:
    apps, account = connector.stage.node.apps, connector.cast.account
    conversation_id = await connector.open()
    await apps.update(account, connector.client_id, AppDraft(enabled=False))
    assert (await connector.say(conversation_id)).number == 40102
    assert (await connector.ask_token()).status == 403
    assert (await connector.ask_token(client_secret="wrong")).status == 401
    await apps.update(account, connector.client_id, AppDraft(enabled=True))
    assert (await connector.say(conversation_id)).status == 200
    await apps.delete(account, connector.client_id)
    assert (await connector.say(conversation_id)).number == 40102
    assert (await connector.ask_token()).status == 401


async def test_an_app_without_the_scope_may_not_send(connector: Connector) -> None:
    apps, account = connector.stage.node.apps, connector.cast.account
    conversation_id = await connector.open()
    await apps.update(account, connector.client_id, AppDraft(scope="something.else"))
    answer = await connector.say(conversation_id)
    assert (answer.status, answer.number) == (403, 40301)


async def test_a_secret_is_kept_sealed(connector: Connector) -> None:
    await connector.consumer()
    rows = await connector.stage.node.database.read(
        "SELECT record, sealed_secret FROM apps WHERE account_id = $1", connector.cast.account
    )
    assert connector.secret not in rows[0]["record"]
    assert connector.secret.encode() not in bytes(rows[0]["sealed_secret"])
    made = await connector.stage.node.apps.rotate_secret(connector.cast.account, connector.client_id)
    assert (await connector.ask_token()).status == 401
    assert (await connector.ask_token(client_secret=made.secret)).status == 200


async def test_a_connectors_consumer_signs_in_with_the_brands_token(connector: Connector) -> None:
    """There is a call for it, which answers a token for the consumer's socket."""
    answer = await connector.call(
        "POST", connector.url(f"app/{connector.client_id}/authenticate?v=3.0"), json={"id_token": "x.y.z"}
    )
    assert answer.status == 401
