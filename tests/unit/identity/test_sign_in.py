import asyncio

import pytest

from identity_rooms import ACCOUNT, OTHER, PASSWORD, Rooms, rooms_on
from talkwire.accounts.errors import AccountUnknown
from talkwire.identity import session_store
from talkwire.identity.attempts import NAMES_PER_ADDRESS
from talkwire.identity.credentials import Credentials
from talkwire.identity.errors import (
    ApiKeyUnknown,
    CredentialsIncomplete,
    CredentialsWrong,
    CsrfWrong,
    SamlNotSupported,
    SessionEnded,
    TooManyAttempts,
)
from talkwire.identity.jobs import jobs
from talkwire.identity.limits import SignInLimits
from talkwire.identity.passwords import Passwords
from talkwire.identity.session_store import ApiKey
from talkwire.identity.users import AgentChange
from talkwire.kernel.ids import AccountId

IDLE, SESSION = SignInLimits().idle_seconds, SignInLimits().session_seconds


def credentials_of(key: ApiKey, **changes: str) -> Credentials:
    values = {
        "app_key": key.app_key,
        "secret": key.secret,
        "access_token": key.access_token,
        "access_token_secret": key.access_token_secret,
    }
    return Credentials(**{**values, **changes})


async def test_a_bearer_stands_for_its_agent_in_its_own_brand_only(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    who = await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    assert (who.id, who.old_id) == (signed_in.agent.id, signed_in.agent.old_id)
    assert (who.session_id, who.expires_at_ms) == (signed_in.session_id, signed_in.expires_at_ms)
    with pytest.raises(SessionEnded):  # warm
        await rooms.sign_in.principal_of_bearer(OTHER, signed_in.bearer)
    with pytest.raises(SessionEnded):  # cold
        await rooms_on(rooms.database, rooms.clock).sign_in.principal_of_bearer(OTHER, signed_in.bearer)


@pytest.mark.parametrize("bearer", ["", "0" * 64, "{bearer}x", "{session_id}"])
async def test_a_bearer_that_is_none_is_refused(bearer: str, rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    forged = bearer.format(bearer=signed_in.bearer, session_id=signed_in.session_id)
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, forged)


async def test_a_session_outlives_a_restart(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    again = rooms_on(rooms.database, rooms.clock)
    assert (await again.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)).id == signed_in.agent.id


async def test_a_second_sign_in_leaves_the_first_alone(rooms: Rooms) -> None:
    first, second = await rooms.signed_in("bot@brand"), await rooms.signed_in("bot@brand")
    assert first.bearer != second.bearer
    for signed_in in (first, second):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)


@pytest.mark.parametrize(
    ("name", "password"),
    [("agent@brand", "wrong horse"), ("nobody@brand", PASSWORD), ("agent@brand", "correct horse ")],
)
async def test_a_wrong_name_and_a_wrong_password_look_alike(name: str, password: str, rooms: Rooms) -> None:
    with pytest.raises(CredentialsWrong) as refusal:
        await rooms.sign_in.sign_in(ACCOUNT, Credentials(username=name, password=password), "here")
    assert str(refusal.value) == "Wrong user name or password"


async def test_an_unknown_name_costs_as_much_as_a_wrong_password() -> None:
    passwords = Passwords()
    asked: list[str] = []
    run = passwords._run

    async def counted(work: object) -> object:
        asked.append("argon2")
        return await run(work)  # type: ignore[arg-type]

    passwords._run = counted  # type: ignore[method-assign,assignment]
    assert not await passwords.matches(None, PASSWORD)
    assert asked == ["argon2"]
    passwords.close()


async def test_a_password_proven_once_is_believed_without_argon2_and_a_guess_never_is() -> None:
    passwords = Passwords()
    stored = await passwords.hash(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert await passwords.matches(stored, PASSWORD)
    passwords.close()  # from here on Argon2 cannot run
    assert await passwords.matches(stored, PASSWORD)
    with pytest.raises(RuntimeError):
        await passwords.matches(stored, "wrong horse")


@pytest.mark.parametrize(
    ("credentials", "refusal"),
    [
        (Credentials(), CredentialsIncomplete),
        (Credentials(username="agent@brand"), CredentialsIncomplete),
        (Credentials(username="agent@brand", password=""), CredentialsIncomplete),
        (Credentials(app_key="k", secret="s"), CredentialsIncomplete),
        (Credentials(assertion="abc"), SamlNotSupported),
    ],
)
async def test_half_a_set_of_credentials_is_refused(
    credentials: Credentials, refusal: type[Exception], rooms: Rooms
) -> None:
    with pytest.raises(refusal):
        await rooms.sign_in.sign_in(ACCOUNT, credentials, "here")


async def test_a_brand_that_does_not_exist_lets_nobody_in(rooms: Rooms) -> None:
    with pytest.raises(AccountUnknown):
        await rooms.signed_in("agent@brand", AccountId("0"))


async def test_the_eleventh_wrong_password_of_a_minute_waits_even_when_right(rooms: Rooms) -> None:
    wrong = Credentials(username="agent@brand", password="wrong horse")
    attempts = [rooms.sign_in.sign_in(ACCOUNT, wrong, "here") for _ in range(11)]
    refusals = await asyncio.gather(*attempts, return_exceptions=True)  # side by side count too
    assert [type(one) for one in refusals].count(CredentialsWrong) == 10
    right = Credentials(username="agent@brand", password=PASSWORD)
    with pytest.raises(TooManyAttempts):
        await rooms.sign_in.sign_in(ACCOUNT, right, "here")
    await rooms.sign_in.sign_in(ACCOUNT, right, "elsewhere")
    rooms.clock.advance(seconds=60)
    await rooms.sign_in.sign_in(ACCOUNT, right, "here")


async def test_spaces_and_case_around_a_name_make_no_other_user_of_it(rooms: Rooms) -> None:
    names = [f"{' ' * n}Agent@Brand{chr(9) * n}" for n in range(12)]
    attempts = [rooms.sign_in.sign_in(ACCOUNT, Credentials(name, "wrong horse"), "here") for name in names]
    refusals = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(one) for one in refusals].count(CredentialsWrong) == 10


async def test_one_address_cannot_guess_at_everybody(rooms: Rooms) -> None:
    limit = SignInLimits().failures_per_minute * NAMES_PER_ADDRESS
    for number in range(limit):  # no password: refused before anything is hashed
        with pytest.raises(CredentialsIncomplete):
            await rooms.sign_in.sign_in(ACCOUNT, Credentials(f"user{number}"), "here")
    right = Credentials("agent@brand", PASSWORD)
    with pytest.raises(TooManyAttempts):
        await rooms.sign_in.sign_in(ACCOUNT, right, "here")
    await rooms.sign_in.sign_in(ACCOUNT, right, "elsewhere")


async def test_signing_in_rightly_counts_as_no_failure(rooms: Rooms) -> None:
    for _ in range(30):
        await rooms.signed_in("agent@brand")


async def test_a_session_that_rests_too_long_ends(rooms: Rooms) -> None:
    bearer = (await rooms.signed_in("agent@brand")).bearer
    rooms.clock.advance(seconds=IDLE - 1)
    await rooms.sign_in.principal_of_bearer(ACCOUNT, bearer)
    rooms.clock.advance(seconds=IDLE - 1)
    who = await rooms.sign_in.principal_of_bearer(ACCOUNT, bearer)  # each use starts it anew
    rooms.clock.advance(seconds=IDLE - 1)
    await rooms.sign_in.keep_alive(who)
    rooms.clock.advance(seconds=IDLE)
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, bearer)


async def test_a_refresh_is_a_use_here_and_at_another_node(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    other = rooms_on(rooms.database, rooms.clock)
    for node in (rooms, other):
        await node.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)  # both remember it from now on
    for _ in range(3):
        rooms.clock.advance(seconds=IDLE - 1)
        await rooms.sign_in.refresh(ACCOUNT, signed_in.cookie, signed_in.csrf)
    for node in (rooms, other):
        who = await node.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
        assert who.session_id == signed_in.session_id
    rooms.clock.advance(seconds=IDLE)
    for node in (rooms, other):
        with pytest.raises(SessionEnded):
            await node.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)


async def test_whoever_comes_with_what_has_ended_costs_one_look(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = (await rooms.signed_in("agent@brand")).bearer
    await rooms.sign_in.principal_of_bearer(ACCOUNT, bearer)
    rooms.clock.advance(seconds=IDLE)
    looks = 0
    find = session_store.find_session

    async def counted(*args: object) -> object:
        nonlocal looks
        looks += 1
        return await find(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(session_store, "find_session", counted)
    for _ in range(3):
        with pytest.raises(SessionEnded):
            await rooms.sign_in.principal_of_bearer(ACCOUNT, bearer)
    assert looks == 3
    rooms.clock.advance(seconds=SESSION)  # nothing can bring it back: nobody looks
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, bearer)
    assert looks == 3


@pytest.mark.parametrize(("idle_seconds", "ms"), [(60, 20_000), (1_800, 60_000)])
async def test_use_is_noted_more_often_than_it_must_be(rooms: Rooms, idle_seconds: int, ms: int) -> None:
    limits = SignInLimits(idle_seconds=idle_seconds)
    assert rooms_on(rooms.database, rooms.clock, limits).sign_in.keep_alive_ms == ms


async def test_no_session_grows_older_than_it_may(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    for _ in range(SESSION // IDLE - 1):
        rooms.clock.advance(seconds=IDLE - 1)
        await rooms.sign_in.refresh(ACCOUNT, signed_in.cookie, signed_in.csrf)
    rooms.clock.advance(seconds=IDLE + 60)
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)


async def test_use_is_written_once_a_minute(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")

    async def written() -> int:
        rows = await rooms.database.read("SELECT used_at FROM sessions WHERE account_id = $1", ACCOUNT)
        return int(rows[0]["used_at"])

    start = await written()
    rooms.clock.advance(seconds=59)
    await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    assert await written() == start
    rooms.clock.advance(seconds=1)
    await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    assert await written() == start + 60_000


async def test_refreshing_changes_neither_token(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    for _ in range(3):
        rooms.clock.advance(seconds=IDLE - 1)
        await rooms.sign_in.refresh(ACCOUNT, signed_in.cookie, signed_in.csrf)
    await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)


async def test_refreshing_needs_the_cookie_its_csrf_token_and_their_brand(rooms: Rooms) -> None:
    one, two = await rooms.signed_in("agent@brand"), await rooms.signed_in("agent@brand")
    for account_id, cookie, csrf in (
        (ACCOUNT, one.cookie, two.csrf),
        (ACCOUNT, "", one.csrf),
        (ACCOUNT, one.cookie, ""),
        (OTHER, one.cookie, one.csrf),
    ):
        with pytest.raises(CsrfWrong):
            await rooms.sign_in.refresh(account_id, cookie, csrf)
    rooms.clock.advance(seconds=IDLE)
    with pytest.raises(CsrfWrong):
        await rooms.sign_in.refresh(ACCOUNT, one.cookie, one.csrf)


async def test_signing_out_ends_the_session_and_tells(rooms: Rooms) -> None:
    ended: list[str] = []
    rooms.sign_in.on_revoked(ended.append)
    by_cookie, by_bearer = await rooms.signed_in("agent@brand"), await rooms.signed_in("agent@brand")
    await rooms.sign_in.principal_of_bearer(ACCOUNT, by_cookie.bearer)
    await rooms.sign_in.sign_out(ACCOUNT, by_cookie.cookie, by_cookie.csrf)
    await rooms.sign_in.sign_out(ACCOUNT, "", "", by_bearer.bearer)
    assert ended == [by_cookie.session_id, by_bearer.session_id]
    for signed_in in (by_cookie, by_bearer):
        with pytest.raises(SessionEnded):
            await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    with pytest.raises(CsrfWrong):
        await rooms.sign_in.sign_out(ACCOUNT, by_cookie.cookie, by_cookie.csrf)


async def test_a_new_password_signs_out_everywhere_and_the_old_one_is_worth_nothing(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    await rooms.agents.update_user(ACCOUNT, signed_in.agent.id, AgentChange(), password="battery staple")
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    with pytest.raises(CredentialsWrong):
        await rooms.signed_in("agent@brand")


async def test_a_sign_out_on_another_node_is_heard_within_a_minute(rooms: Rooms) -> None:
    there = rooms_on(rooms.database, rooms.clock)
    signed_in = await rooms.signed_in("agent@brand")
    await there.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    await rooms.sign_in.sign_out(ACCOUNT, signed_in.cookie, signed_in.csrf)
    ended: list[str] = []
    there.sign_in.on_revoked(ended.append)
    rooms.clock.advance(seconds=60)
    with pytest.raises(SessionEnded):
        await there.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    assert ended == [signed_in.session_id]
    there.close()


async def test_a_disabled_agent_can_neither_go_on_nor_come_back(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    await rooms.agents.update_user(ACCOUNT, signed_in.agent.id, AgentChange(enabled=False))
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    with pytest.raises(CredentialsWrong):
        await rooms.signed_in("agent@brand")


async def test_a_bot_signs_in_with_its_four_values(rooms: Rooms) -> None:
    bot = await rooms.agents.find_by_login(ACCOUNT, "bot@brand")
    assert bot is not None
    key = await rooms.api_keys.create(ACCOUNT, bot.old_id)
    for credentials in (credentials_of(key), credentials_of(key, username="BOT@brand")):
        signed_in = await rooms.sign_in.sign_in(ACCOUNT, credentials, "here")
        assert signed_in.agent == bot
    for wrong in (
        credentials_of(key, secret="x"),
        credentials_of(key, access_token="x"),
        credentials_of(key, access_token_secret="x"),
        credentials_of(key, app_key="x"),
        credentials_of(key, username="agent@brand"),
    ):
        with pytest.raises(CredentialsWrong):
            await rooms.sign_in.sign_in(ACCOUNT, wrong, "here")
    with pytest.raises(CredentialsWrong):
        await rooms.sign_in.sign_in(OTHER, credentials_of(key), "here")
    revoked: list[str] = []
    rooms.sign_in.on_revoked(revoked.append)
    await rooms.api_keys.delete(ACCOUNT, key.app_key)
    assert signed_in.session_id in revoked  # whoever had the key is out
    with pytest.raises(SessionEnded):
        await rooms.sign_in.principal_of_bearer(ACCOUNT, signed_in.bearer)
    with pytest.raises(CredentialsWrong):
        await rooms.sign_in.sign_in(ACCOUNT, credentials_of(key), "there")
    with pytest.raises(ApiKeyUnknown):
        await rooms.api_keys.delete(ACCOUNT, key.app_key)


async def test_ended_sessions_are_cleared_away(rooms: Rooms) -> None:
    await rooms.signed_in("agent@brand")
    rooms.clock.advance(seconds=IDLE)
    await rooms.signed_in("agent@brand")
    (job,) = jobs(rooms.accounts, rooms.sessions)
    await job.run()
    rows = await rooms.database.read("SELECT session_id FROM sessions WHERE account_id = $1", ACCOUNT)
    assert len(rows) == 1


async def test_nothing_stored_lets_its_reader_in(rooms: Rooms) -> None:
    signed_in = await rooms.signed_in("agent@brand")
    rows = await rooms.database.read("SELECT * FROM sessions WHERE account_id = $1", ACCOUNT)
    stored = str([tuple(row) for row in rows])
    for secret in (signed_in.bearer, signed_in.cookie, signed_in.csrf):
        assert secret not in stored
