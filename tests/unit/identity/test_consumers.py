import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from identity_rooms import ACCOUNT, OTHER, Rooms, rooms_on
from talkwire.accounts.errors import AccountUnknown
from talkwire.identity.errors import (
    AuthCodeNotAccepted,
    BrandKeyNotAllowed,
    BrandKeyUnknown,
    ConsumerProfileTooLarge,
    TokenNotAccepted,
    TooManyAttempts,
)
from talkwire.identity.limits import ConsumerLimits
from talkwire.identity.model import Principal
from talkwire.kernel.errors import NotAllowed
from talkwire.kernel.ids import AccountId

THEIRS = rsa.generate_private_key(65_537, 2048)
FOREIGN = rsa.generate_private_key(65_537, 2048)


def pem_of(key: Any) -> str:
    encoded: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode()


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def external(rooms: Rooms, key: Any = THEIRS, *, kid: str | None = None, **claims: Any) -> str:
    now = rooms.clock.now_ms() // 1000
    said = {"sub": "customer-1", "iss": "bank", "exp": now + 60, **claims}
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(kept, key, algorithm="RS256", headers={"kid": kid} if kid else None)


@pytest.fixture
async def trusting(rooms: Rooms) -> Rooms:
    await rooms.brand_keys.put(ACCOUNT, "bank-key", pem_of(THEIRS), "bank")
    return rooms


async def test_a_consumer_who_signs_up_can_read_its_id_in_the_token(rooms: Rooms) -> None:
    token = await rooms.consumers.sign_up(ACCOUNT)
    claims = claims_of(token)
    who = await rooms.consumers.principal_of_jwt(ACCOUNT, token)
    assert claims["sub"] == who.id
    assert len(who.id) == 36
    assert claims["aud"] == f"acc:{ACCOUNT}"
    assert claims["exp"] - claims["iat"] == 3600
    assert who.is_consumer
    assert not who.is_anonymous
    assert who.expires_at_ms == claims["exp"] * 1000
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"]) == ("RS256", "JWT")
    assert header["kid"]
    assert len(token) <= 2048


async def test_nobody_signs_up_with_a_brand_that_is_none(rooms: Rooms) -> None:
    with pytest.raises(AccountUnknown):
        await rooms.consumers.sign_up(AccountId("0"))


async def test_a_token_of_one_brand_is_worth_nothing_with_another(rooms: Rooms) -> None:
    token = await rooms.consumers.sign_up(ACCOUNT)
    await rooms.consumers.sign_up(OTHER)
    with pytest.raises(TokenNotAccepted):  # cold
        await rooms.consumers.principal_of_jwt(OTHER, token)
    await rooms.consumers.principal_of_jwt(ACCOUNT, token)
    with pytest.raises(TokenNotAccepted):  # warm
        await rooms.consumers.principal_of_jwt(OTHER, token)


async def test_a_token_ends_also_when_it_is_remembered(rooms: Rooms) -> None:
    token = await rooms.consumers.sign_up(ACCOUNT)
    rooms.clock.advance(seconds=3599)
    await rooms.consumers.principal_of_jwt(ACCOUNT, token)
    rooms.clock.advance(seconds=1)
    for _ in range(2):
        with pytest.raises(TokenNotAccepted):
            await rooms.consumers.principal_of_jwt(ACCOUNT, token)


async def test_forged_tokens_are_refused(rooms: Rooms) -> None:
    token = await rooms.consumers.sign_up(ACCOUNT)
    claims, kid = claims_of(token), jwt.get_unverified_header(token)["kid"]
    header, _, signature = token.split(".")
    other = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "me"}).encode()).decode().rstrip("=")
    public = await rooms.keys.find_public(ACCOUNT, kid)
    assert public is not None
    forged = [
        jwt.encode(claims, FOREIGN, algorithm="RS256", headers={"kid": kid}),
        jwt.encode(claims, "", algorithm="none", headers={"kid": kid}),
        jwt.encode(claims, "s" * 32, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(claims, FOREIGN, algorithm="RS256", headers={"kid": "unknown"}),
        jwt.encode(claims, FOREIGN, algorithm="RS256"),
        f"{header}.{other}.{signature}",
        f"{header}.{other}.",
        token[:-4] + "AAAA",
        token + "x" * 2048,
        "", "a.b.c", "..", "ä.ö.ü", "W10.e30.x",
    ]  # fmt: skip
    for one in forged:
        with pytest.raises(TokenNotAccepted):
            await rooms.consumers.principal_of_jwt(ACCOUNT, one)


@pytest.mark.parametrize("missing", ["sub", "exp", "aud", "iss"])
async def test_a_token_that_lacks_a_claim_is_refused_though_we_signed_it(missing: str, rooms: Rooms) -> None:
    claims = claims_of(await rooms.consumers.sign_up(ACCOUNT))
    del claims[missing]
    with pytest.raises(TokenNotAccepted):
        await rooms.consumers.principal_of_jwt(ACCOUNT, await rooms.keys.sign(ACCOUNT, claims))


async def test_a_new_key_signs_nobody_out(rooms: Rooms) -> None:
    old = await rooms.consumers.sign_up(ACCOUNT)
    await rooms.keys.rotate(ACCOUNT)
    new = await rooms.consumers.sign_up(ACCOUNT)
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    for token in (old, new):
        await rooms.consumers.principal_of_jwt(ACCOUNT, token)


async def test_keys_outlive_a_restart_and_reach_other_nodes(rooms: Rooms) -> None:
    there = rooms_on(rooms.database, rooms.clock)
    token = await rooms.consumers.sign_up(ACCOUNT)
    await there.consumers.principal_of_jwt(ACCOUNT, token)
    await rooms.keys.rotate(ACCOUNT)
    late = await rooms.consumers.sign_up(ACCOUNT)
    await there.consumers.principal_of_jwt(ACCOUNT, late)
    there.close()


async def test_a_key_retired_for_a_month_is_forgotten(rooms: Rooms) -> None:
    token = await rooms.consumers.sign_up(ACCOUNT)
    kid = jwt.get_unverified_header(token)["kid"]
    await rooms.keys.rotate(ACCOUNT)
    rooms.clock.advance(days=33)
    assert await rooms.keys.find_public(ACCOUNT, kid) is None
    await rooms.keys.rotate(ACCOUNT)
    rows = await rooms.database.read("SELECT key_id FROM signing_keys WHERE account_id = $1", ACCOUNT)
    assert kid not in [row["key_id"] for row in rows]


async def test_sign_ups_of_one_address_are_counted_by_the_minute(rooms: Rooms) -> None:
    few = rooms_on(rooms.database, rooms.clock, consumer_limits=ConsumerLimits(sign_ups_per_minute=2))
    await few.consumers.sign_up(ACCOUNT, "here")
    await few.consumers.anonymous(ACCOUNT, None, "here")
    with pytest.raises(TooManyAttempts):
        await few.consumers.sign_up(ACCOUNT, "here")
    await few.consumers.sign_up(ACCOUNT, "there")
    few.close()


async def test_a_brand_s_customer_is_the_same_consumer_each_time(trusting: Rooms) -> None:
    first = await trusting.consumers.authenticate(ACCOUNT, external(trusting))
    second = await trusting.consumers.authenticate(ACCOUNT, external(trusting, kid="bank-key"))
    who = await trusting.consumers.principal_of_jwt(ACCOUNT, first)
    assert who.id == (await trusting.consumers.principal_of_jwt(ACCOUNT, second)).id
    assert len(who.id) == 64
    assert claims_of(first)["lp.ext"] == {"sub": "customer-1", "iss": "bank"}


async def test_what_the_brand_says_of_its_customer_is_kept(trusting: Rooms) -> None:
    sdes = [{"type": "personal", "personal": {"firstname": "Ada"}}]
    said: dict[str, Any] = {"given_name": "Ada", "family_name": "L", "email": "a@b", "lp_sdes": sdes}
    token = await trusting.consumers.authenticate(ACCOUNT, external(trusting, **said))
    who = await trusting.consumers.principal_of_jwt(ACCOUNT, token)
    assert claims_of(token)["lp.ext"]["lp_sdes"] == sdes
    assert await trusting.consumers.profiles.get_profile(ACCOUNT, who.id) == {
        "userId": who.id,
        "firstName": "Ada",
        "lastName": "L",
        "authenticatedData": {"lp_sdes": []},
        "privateData": {"email": "a@b"},
        "claims": {"lp_sdes": sdes, "iss": "bank"},
    }
    assert await trusting.consumers.profiles.get_profile(OTHER, who.id) is None


async def test_a_token_stays_short_whatever_the_brand_says(trusting: Rooms) -> None:
    sdes = [{"type": "personal", "text": "x" * 3000}]
    code = external(trusting, sub="s" * 256, iss="bank", lp_sdes=sdes)
    token = await trusting.consumers.authenticate(ACCOUNT, code)
    assert len(token) <= 2048
    assert "lp_sdes" not in claims_of(token)["lp.ext"]
    who = await trusting.consumers.principal_of_jwt(ACCOUNT, token)
    profile = await trusting.consumers.profiles.get_profile(ACCOUNT, who.id)
    assert profile is not None
    assert profile["claims"]["lp_sdes"] == sdes


async def test_authentication_codes_that_prove_nothing_are_refused(trusting: Rooms) -> None:
    now = trusting.clock.now_ms() // 1000
    hmac_with_the_public_key = ".".join(external(trusting).split(".")[:2]) + ".AAAA"
    refused = [
        external(trusting, FOREIGN),
        external(trusting, FOREIGN, kid="bank-key"),
        external(trusting, iss="another"),
        external(trusting, iss=None),
        external(trusting, exp=now - 61),
        external(trusting, exp=None),
        external(trusting, exp="soon"),
        external(trusting, nbf=now + 3600),
        external(trusting, sub=None),
        external(trusting, sub=""),
        external(trusting, sub="s" * 257),
        external(trusting, lp_sdes="x"),
        jwt.encode({"sub": "x", "exp": now + 60, "iss": "bank"}, "", algorithm="none"),
        jwt.encode({"sub": "x", "exp": now + 60, "iss": "bank"}, "k" * 32, algorithm="HS256"),
        hmac_with_the_public_key,
        "an opaque code", "", "x" * 70_000,
    ]  # fmt: skip
    for code in refused:
        with pytest.raises(AuthCodeNotAccepted):
            await trusting.consumers.authenticate(ACCOUNT, code)
    with pytest.raises(AuthCodeNotAccepted):  # another brand does not trust this bank
        await trusting.consumers.authenticate(OTHER, external(trusting))


async def test_a_key_that_is_taken_back_vouches_for_nobody(trusting: Rooms) -> None:
    await trusting.consumers.authenticate(ACCOUNT, external(trusting))
    await trusting.brand_keys.delete(ACCOUNT, "bank-key")
    with pytest.raises(AuthCodeNotAccepted):
        await trusting.consumers.authenticate(ACCOUNT, external(trusting))
    with pytest.raises(BrandKeyUnknown):
        await trusting.brand_keys.delete(ACCOUNT, "bank-key")


async def test_only_a_real_public_rsa_key_can_be_trusted(rooms: Rooms) -> None:
    short = rsa.generate_private_key(65_537, 1024)
    for pem in ("", "nonsense", pem_of(ec.generate_private_key(ec.SECP256R1())), pem_of(short)):
        with pytest.raises(BrandKeyNotAllowed):
            await rooms.brand_keys.put(ACCOUNT, "k", pem)
    with pytest.raises(BrandKeyNotAllowed):
        await rooms.brand_keys.put(ACCOUNT, "", pem_of(THEIRS))


async def test_a_brand_trusts_sixteen_keys_at_most(rooms: Rooms) -> None:
    for number in range(16):
        await rooms.brand_keys.put(ACCOUNT, f"k{number}", pem_of(THEIRS))
    await rooms.brand_keys.put(ACCOUNT, "k0", pem_of(FOREIGN), "again")
    with pytest.raises(BrandKeyNotAllowed):
        await rooms.brand_keys.put(ACCOUNT, "one more", pem_of(THEIRS))


async def test_a_visitor_stays_itself_when_its_token_is_renewed_after_its_end(rooms: Rooms) -> None:
    first = await rooms.consumers.anonymous(ACCOUNT)
    who = await rooms.consumers.principal_of_jwt(ACCOUNT, first)
    assert who.is_anonymous
    rooms.clock.advance(seconds=600)
    with pytest.raises(TokenNotAccepted):
        await rooms.consumers.principal_of_jwt(ACCOUNT, first)
    second = await rooms.consumers.anonymous(ACCOUNT, first)
    assert (await rooms.consumers.principal_of_jwt(ACCOUNT, second)).id == who.id


async def test_a_visitor_s_token_can_be_renewed_for_730_hours_in_all(rooms: Rooms) -> None:
    token = await rooms.consumers.anonymous(ACCOUNT)
    rooms.clock.advance(seconds=729 * 3600)
    token = await rooms.consumers.anonymous(ACCOUNT, token)
    rooms.clock.advance(seconds=3600)
    with pytest.raises(TokenNotAccepted):
        await rooms.consumers.anonymous(ACCOUNT, token)


async def test_only_a_visitor_s_token_of_this_brand_can_be_renewed(rooms: Rooms) -> None:
    signed_up = await rooms.consumers.sign_up(ACCOUNT)
    elsewhere = await rooms.consumers.anonymous(OTHER)
    for token in (signed_up, elsewhere, "nonsense"):
        with pytest.raises(TokenNotAccepted):
            await rooms.consumers.anonymous(ACCOUNT, token)


async def test_a_consumer_sets_its_own_profile_and_no_other(rooms: Rooms) -> None:
    async def enter() -> Principal:
        return await rooms.consumers.principal_of_jwt(ACCOUNT, await rooms.consumers.sign_up(ACCOUNT))

    one, two = await enter(), await enter()
    profiles = rooms.consumers.profiles
    assert await profiles.get_profile(ACCOUNT, one.id) is None
    await profiles.set_profile(one, one.id, {"firstName": "Ada", "claims": {"iss": "bank"}})
    await profiles.set_profile(one, one.id, {"nickName": "A"})
    assert await profiles.get_profile(ACCOUNT, one.id) == {
        "userId": one.id,
        "firstName": "Ada",
        "nickName": "A",
        "authenticatedData": {"lp_sdes": []},
        "privateData": {},
    }
    with pytest.raises(NotAllowed):
        await profiles.set_profile(two, one.id, {"firstName": "Eve"})


async def test_a_profile_over_the_limit_is_refused(rooms: Rooms) -> None:
    who = await rooms.consumers.principal_of_jwt(ACCOUNT, await rooms.consumers.sign_up(ACCOUNT))
    await rooms.consumers.profiles.set_profile(who, who.id, {"description": "x" * 60_000})
    with pytest.raises(ConsumerProfileTooLarge):
        await rooms.consumers.profiles.set_profile(who, who.id, {"firstName": "x" * 6_000})


async def test_remembered_tokens_are_bounded(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkwire.identity.consumers.MAX_REMEMBERED", 2)
    for _ in range(4):
        await rooms.consumers.principal_of_jwt(ACCOUNT, await rooms.consumers.sign_up(ACCOUNT))
    assert len(rooms.consumers._checked) == 2
