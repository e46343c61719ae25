"""Agents sign in, stay signed in, and sign out."""

import contextlib

import msgspec

from talkwire.accounts.errors import AccountUnknown
from talkwire.accounts.service import Accounts
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database
from talkwire.identity import rules, store
from talkwire.identity.agents import Agents
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.errors import (
    CredentialsIncomplete,
    CredentialsWrong,
    SamlNotSupported,
    TooManyAttempts,
)
from talkwire.identity.limits import SignInLimits
from talkwire.identity.model import Principal, Privilege
from talkwire.identity.passwords import Passwords
from talkwire.identity.session_store import ApiKey, Session
from talkwire.identity.sessions import Revoked, Sessions
from talkwire.identity.throttle import Throttle
from talkwire.identity.users import AgentUser
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ParticipantId, digest_of, new_token

NAMES_PER_ADDRESS = 50
"""One address may guess at so many users at once; beyond it, it would keep others from signing in."""


class Credentials(msgspec.Struct, frozen=True, rename="camel"):
    """What a client may send to sign in: one of three kinds. Source: docs/protocol.md 3.1."""

    username: str | None = None
    password: str | None = None
    app_key: str | None = None
    secret: str | None = None
    access_token: str | None = None
    access_token_secret: str | None = None
    assertion: str | None = None


class SignedIn(msgspec.Struct, frozen=True):
    """What an agent gets by signing in; the three secrets are shown this once."""

    bearer: str
    csrf: str
    cookie: str
    session_id: str
    agent: AgentUser
    privileges: frozenset[Privilege]
    signed_in_at_ms: int
    expires_at_ms: int
    idle_seconds: int


class SignIn:
    """The door for agents and bots."""

    def __init__(  # noqa: PLR0913 -- the door needs all its bolts; each is one line below
        self,
        accounts: Accounts,
        agents: Agents,
        sessions: Sessions,
        keys: ApiKeys,
        passwords: Passwords,
        limits: SignInLimits,
        *,
        database: Database,
        clock: Clock,
        acts: Acts | None = None,
    ) -> None:
        self._accounts = accounts
        self._agents = agents
        self._sessions = sessions
        self._keys = keys
        self._passwords = passwords
        self._limits = limits
        self._database = database
        self._clock = clock
        self._acts = acts or Unrecorded(database)
        self._told_to_wait = Throttle(clock, 1)
        self._failures = Throttle(clock, limits.failures_per_minute)
        self._failures_of_address = Throttle(clock, limits.failures_per_minute * NAMES_PER_ADDRESS)

    def on_revoked(self, listener: Revoked) -> None:
        """Be told the id of every session that was ended before its time, to close its sockets (4401)."""
        self._sessions.on_revoked(listener)

    async def sign_in(self, account_id: AccountId, credentials: Credentials, address: str) -> SignedIn:
        """Open a session. Raises CredentialsIncomplete, CredentialsWrong, TooManyAttempts, AccountUnknown."""
        if credentials.assertion is not None:
            raise SamlNotSupported
        if await self._accounts.find(account_id) is None:
            raise AccountUnknown
        who = rules.login_key(credentials.username or credentials.app_key or "")[: rules.MAX_LOGIN_NAME]
        agent = await self._admit(account_id, who, credentials, address)
        self._failures.give_back(account_id, who, address)
        self._failures_of_address.give_back(address)
        signed_in = await self._open(agent)
        kind = "password" if credentials.app_key is None else "application key"
        await self._acts.record(
            Entry(account_id, Act.SIGNED_IN, agent.login_name, actor=agent.id, detail={"by": kind})
        )
        return signed_in

    async def refresh(self, account_id: AccountId, cookie: str, csrf: str) -> None:
        """Start the idle time anew. Bearer and csrf token stay as they are. Raises CsrfWrong.

        COMPAT: clients keep the csrf token of the sign-in for good (node-agent-sdk).
        """
        session = await self._sessions.find_by_cookie(account_id, cookie, csrf)
        await self._sessions.refresh(session)

    async def sign_out(
        self, account_id: AccountId, cookie: str, csrf: str, bearer: str | None = None
    ) -> None:
        """End a session, known by cookie and csrf token or by its bearer. Raises CsrfWrong, SessionEnded."""
        if bearer:
            who = await self._sessions.principal_of_bearer(account_id, bearer)
            await self._sessions.end(account_id, who.session_id)
            return
        session = await self._sessions.find_by_cookie(account_id, cookie, csrf)
        await self._sessions.end(account_id, session.session_id)

    async def principal_of_bearer(self, account_id: AccountId, bearer: str) -> Principal:
        """Who a bearer stands for, from memory after its first use. Raises SessionEnded."""
        return await self._sessions.principal_of_bearer(account_id, bearer)

    async def keep_alive(self, who: Principal) -> Principal:
        """Count a socket's traffic as use; the principal as it is now. Raises SessionEnded.

        Call it when frames came, at most once a minute per socket.
        """
        return await self._sessions.use(who.account_id, who.session_id)

    async def _admit(
        self, account_id: AccountId, who: str, credentials: Credentials, address: str
    ) -> AgentUser:
        """Refusals are recorded: each that cost us a look at the password, and the first that did not."""
        try:
            self._failures_of_address.take(address)
            self._failures.take(account_id, who, address)  # before the wait: guesses side by side count
        except TooManyAttempts:
            with contextlib.suppress(TooManyAttempts):
                self._told_to_wait.take(account_id, who, address)
                await self._tell_refused(account_id, who, "too many attempts")
            raise
        try:
            return await self._check(account_id, credentials)
        except CredentialsWrong:
            await self._tell_refused(account_id, who, "wrong credentials")
            raise

    async def _tell_refused(self, account_id: AccountId, who: str, reason: str) -> None:
        """A name that is nobody's is not recorded: people type passwords into the wrong field."""
        is_known = await self._agents.find_by_login(account_id, who) or await self._keys.find(account_id, who)
        subject = who if is_known else "nobody's name"
        await self._acts.record(Entry(account_id, Act.SIGN_IN_REFUSED, subject, detail={"reason": reason}))

    async def _check(self, account_id: AccountId, credentials: Credentials) -> AgentUser:
        if credentials.app_key is not None:
            agent = await self._check_key(account_id, credentials)
        else:
            agent = await self._check_password(account_id, credentials)
        if not agent.enabled:
            raise CredentialsWrong
        return agent

    async def _check_password(self, account_id: AccountId, credentials: Credentials) -> AgentUser:
        if not credentials.username or not credentials.password:
            raise CredentialsIncomplete
        found = await store.find_by_login(self._database, account_id, credentials.username)
        stored_hash = found[1] if found else None
        if not await self._passwords.matches(stored_hash, credentials.password) or found is None:
            raise CredentialsWrong
        return found[0]

    async def _check_key(self, account_id: AccountId, credentials: Credentials) -> AgentUser:
        given = _key_of(account_id, credentials)
        stored = await self._keys.check(account_id, given)
        agent = await self._agents.find_agent(account_id, stored.agent_id)
        name = credentials.username
        if agent is None or (name and name.casefold() != agent.login_name.casefold()):
            raise CredentialsWrong
        return agent

    async def _open(self, agent: AgentUser) -> SignedIn:
        bearer, csrf, cookie = new_token(), new_token(), new_token()
        now_ms = self._clock.now_ms()
        session = Session(
            account_id=agent.account_id,
            session_id=digest_of(bearer),
            cookie_digest=digest_of(cookie),
            csrf_digest=digest_of(csrf),
            agent_id=agent.id,
            created_at_ms=now_ms,
            used_at_ms=now_ms,
            expires_at_ms=now_ms + self._limits.session_seconds * 1000,
        )
        await self._sessions.open(session)
        principal = await self._agents.principal_of(agent)
        return SignedIn(
            bearer=bearer,
            csrf=csrf,
            cookie=cookie,
            session_id=session.session_id,
            agent=agent,
            privileges=principal.privileges,
            signed_in_at_ms=now_ms,
            expires_at_ms=session.expires_at_ms,
            idle_seconds=self._limits.idle_seconds,
        )


def _key_of(account_id: AccountId, credentials: Credentials) -> ApiKey:
    values = (
        credentials.app_key, credentials.secret, credentials.access_token, credentials.access_token_secret
    )  # fmt: skip
    if not all(values):
        raise CredentialsIncomplete
    app_key, secret, access_token, token_secret = (value or "" for value in values)
    return ApiKey(account_id, app_key, secret, access_token, token_secret, ParticipantId(""), 0)
