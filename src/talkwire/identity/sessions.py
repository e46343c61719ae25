"""Who is signed in: sessions opened and ended, bearers checked from memory, with their idle and their last moment."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from talkwire.backends.database.port import Database, Transaction
from talkwire.identity import rules, session_store, store
from talkwire.identity.agents import AgentChanged, Agents
from talkwire.identity.errors import CredentialsWrong, CsrfWrong, SessionEnded
from talkwire.identity.limits import SignInLimits
from talkwire.identity.model import Principal, Privilege
from talkwire.identity.session_store import Session
from talkwire.identity.users import AgentUser
from talkwire.kernel.clock import Clock
from talkwire.kernel.errors import Unavailable
from talkwire.kernel.ids import AccountId, digest_of, new_token

TOUCH_MS = 60_000
"""How long a use may go unwritten, and a sign-out on another node unseen; less when the idle time is short."""

MAX_HELD = 50_000

Revoked = Callable[[str], None]


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


@dataclass
class _Held:
    principal: Principal
    used_at_ms: int
    touched_at_ms: int


class Sessions:
    """Checks bearers. The database is asked at the first use of a bearer and once a minute after."""

    def __init__(self, database: Database, clock: Clock, agents: Agents, limits: SignInLimits) -> None:
        self._database = database
        self._clock = clock
        self._agents = agents
        self._limits = limits
        self._idle_ms = limits.idle_seconds * 1000
        self.touch_ms = min(TOUCH_MS, self._idle_ms // 3)
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._changes = 0
        self._listeners: list[Revoked] = []
        agents.on_change(self._agent_changed)

    def on_revoked(self, listener: Revoked) -> None:
        """Be told the id of every session that was ended before its time, to close its sockets (4401)."""
        self._listeners.append(listener)

    async def open(self, agent: AgentUser) -> SignedIn:
        """A new session of an agent, unless it was taken away meanwhile. Raises CredentialsWrong."""
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
        await self._store(session)
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

    async def principal_of_bearer(self, account_id: AccountId, bearer: str) -> Principal:
        """Who a bearer stands for; counts as a use. Raises SessionEnded."""
        return await self.use(account_id, digest_of(bearer))

    async def use(self, account_id: AccountId, session_id: str) -> Principal:
        """Keep a session from going idle, as a gateway does for a socket that speaks. Raises SessionEnded."""
        held = self._held.get(session_id)
        if held is None or self._seems_idle(held):
            held = await self._load(account_id, session_id)
        now_ms = self._clock.now_ms()
        ended = rules.is_ended(now_ms, held.used_at_ms, held.principal.expires_at_ms, self._idle_ms)
        if ended or held.principal.account_id != account_id:
            raise SessionEnded
        held.used_at_ms = now_ms
        if now_ms - held.touched_at_ms >= self.touch_ms:
            await self._touch(session_id, held)
        return held.principal

    async def find_by_cookie(self, account_id: AccountId, cookie: str, csrf: str) -> Session:
        """The living session that a cookie and its csrf token belong to. Raises CsrfWrong."""
        session = await session_store.find_by_cookie(self._database, account_id, digest_of(cookie))
        if session is None or session.csrf_digest != digest_of(csrf):
            raise CsrfWrong
        held = self._held.get(session.session_id)
        used_at_ms = max(session.used_at_ms, held.used_at_ms if held else 0)
        if rules.is_ended(self._clock.now_ms(), used_at_ms, session.expires_at_ms, self._idle_ms):
            raise CsrfWrong
        return session

    async def refresh(self, session: Session) -> None:
        """Count as a use. Raises CsrfWrong."""
        if not await self._write_use(session.account_id, session.session_id):
            raise CsrfWrong
        held = self._held.get(session.session_id)
        if held is not None:
            held.used_at_ms = held.touched_at_ms = self._clock.now_ms()

    async def end(self, account_id: AccountId, session_id: str) -> None:
        """Sign out; ending twice is once."""

        async def unit(tx: Transaction) -> None:
            await session_store.delete_session(tx, account_id, session_id)

        await self._database.write(unit, lambda _: self._revoke((session_id,)))

    async def purge(self, account_id: AccountId) -> int:
        """Remove what has ended by itself; says how many."""

        async def unit(tx: Transaction) -> int:
            return await session_store.delete_ended(tx, account_id, self._clock.now_ms(), self._idle_ms)

        return await self._database.write(unit)

    async def _store(self, session: Session) -> None:

        async def unit(tx: Transaction) -> None:
            agent = await store.read_agent(tx, session.account_id, session.agent_id)
            if agent is None or not agent.enabled:
                raise CredentialsWrong
            await session_store.insert_session(tx, session)

        await self._database.write(unit)

    def _seems_idle(self, held: _Held) -> bool:
        """Idle too long, as far as this node knows: another may have seen it used, or refreshed."""
        now_ms = self._clock.now_ms()
        return now_ms - held.used_at_ms >= self._idle_ms and now_ms < held.principal.expires_at_ms

    async def _load(self, account_id: AccountId, session_id: str) -> _Held:
        changes = self._changes
        session = await session_store.find_session(self._database, account_id, session_id)
        agent = await self._agents.find_agent(account_id, session.agent_id) if session else None
        if session is None or agent is None or not agent.enabled:
            raise SessionEnded
        principal = msgspec.structs.replace(
            await self._agents.principal_of(agent),
            session_id=session_id,
            expires_at_ms=session.expires_at_ms,
        )
        held = _Held(principal, session.used_at_ms, session.used_at_ms)
        if changes == self._changes:  # nobody signed out or changed while we were reading
            self._keep(session_id, held)
        return held

    def _keep(self, session_id: str, held: _Held) -> None:
        self._held[session_id] = held
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)

    async def _touch(self, session_id: str, held: _Held) -> None:
        held.touched_at_ms = self._clock.now_ms()
        try:
            lives = await self._write_use(held.principal.account_id, session_id)
        except Unavailable:
            return  # a full disk signs nobody out; the next minute writes it
        if not lives:
            self._revoke((session_id,))
            raise SessionEnded

    async def _write_use(self, account_id: AccountId, session_id: str) -> bool:
        now_ms = self._clock.now_ms()

        async def unit(tx: Transaction) -> bool:
            return await session_store.touch_session(tx, account_id, session_id, now_ms)

        return await self._database.write(unit)

    def _agent_changed(self, change: AgentChanged) -> None:
        self._changes += 1
        stale = [sid for sid, held in self._held.items() if held.principal.id == change.agent_id]
        for session_id in stale:
            del self._held[session_id]
        self._revoke(change.ended_sessions)

    def _revoke(self, session_ids: tuple[str, ...]) -> None:
        self._changes += 1
        for session_id in session_ids:
            self._held.pop(session_id, None)
            for listener in self._listeners:
                listener(session_id)
