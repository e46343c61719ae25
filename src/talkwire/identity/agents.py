"""Use cases of agents: users and what their profiles allow."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from talkwire.accounts.cache import Cache
from talkwire.accounts.model import ANY_REVISION
from talkwire.accounts.store import find_revision, next_revision
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.identity import rules, session_store, store
from talkwire.identity.errors import AgentNotAllowed, AgentUnknown, LoginNameTaken
from talkwire.identity.model import Principal, Privilege
from talkwire.identity.passwords import Passwords
from talkwire.identity.users import USERS_COLLECTION, AgentChange, AgentUser, Profile
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, ParticipantId, new_uuid


@dataclass(frozen=True)
class AgentChanged:
    """What became of a user: its sessions that ended with it are named."""

    account_id: AccountId
    agent_id: ParticipantId
    ended_sessions: tuple[str, ...] = ()


Heard = Callable[[AgentChanged], None]


class Agents:
    """The users of every brand. Whoever loses a right or changes its password is signed out everywhere."""

    def __init__(
        self, database: Database, clock: Clock, passwords: Passwords, acts: Acts | None = None
    ) -> None:
        self._database = database
        self._acts = acts or Unrecorded(database)
        self._clock = clock
        self._passwords = passwords
        self._users: Cache[tuple[AccountId, str], AgentUser] = Cache(
            clock, lambda key: store.find_agent(database, *key)
        )
        self._profiles: Cache[AccountId, dict[str, Profile]] = Cache(
            clock, lambda account_id: store.load_profiles(database, account_id)
        )
        self._listeners: list[Heard] = []

    def on_change(self, listener: Heard) -> None:
        """Be told, after COMMIT, of every user that changed."""
        self._listeners.append(listener)

    async def find_agent(self, account_id: AccountId, any_id: str) -> AgentUser | None:
        """By PId, old id or bare user id; from memory when warm."""
        return await self._users.find((account_id, rules.bare_id(account_id, any_id)))

    async def get_agent(self, account_id: AccountId, any_id: str) -> AgentUser:
        """Raises AgentUnknown."""
        found = await self.find_agent(account_id, any_id)
        if found is None:
            raise AgentUnknown
        return found

    async def find_by_login(self, account_id: AccountId, login_name: str) -> AgentUser | None:
        found = await store.find_by_login(self._database, account_id, login_name)
        return found[0] if found else None

    async def list_users(self, account_id: AccountId) -> list[AgentUser]:
        return await store.list_agents(self._database, account_id)

    async def revision(self, account_id: AccountId) -> int:
        return await find_revision(self._database, account_id, USERS_COLLECTION)

    async def list_profiles(self, account_id: AccountId) -> dict[str, Profile]:
        return await self._profiles.find(account_id) or {}

    async def principal_of(self, agent: AgentUser) -> Principal:
        """The agent as services are told, without a session."""
        return rules.principal_of(agent, await self.list_profiles(agent.account_id))

    async def create_user(
        self,
        account_id: AccountId,
        login_name: str,
        password: str,
        profile: str = "agent",
        details: AgentChange | None = None,
        if_match: int = ANY_REVISION,
    ) -> AgentUser:
        """A new user. Raises AgentNotAllowed, LoginNameTaken, RevisionStale."""
        profiles = await self.list_profiles(account_id)
        if profile not in profiles:
            raise AgentNotAllowed(f"No profile {profile!r}; there are {', '.join(sorted(profiles))}")
        user = (details or AgentChange()).applied_to(
            self._new_user(account_id, login_name, profiles[profile])
        )
        rules.check_user(user, profiles)
        rules.check_password(password)
        password_hash = await self._passwords.hash(password)

        async def unit(tx: Transaction) -> AgentUser:
            revision = await next_revision(tx, account_id, USERS_COLLECTION, if_match)
            made = msgspec.structs.replace(user, revision=revision)
            if await store.is_taken(tx, made):
                raise LoginNameTaken(f"There is a user {login_name!r} already")
            await store.insert_agent(tx, made, password_hash)
            return made

        entry = told(user, "created", profile=user.profile)
        return await self._acts.do(unit, entry, then=lambda made: self._changed(made, ()))

    async def update_user(
        self,
        account_id: AccountId,
        any_id: str,
        change: AgentChange,
        *,
        password: str | None = None,
        if_match: int = ANY_REVISION,
    ) -> AgentUser:
        """Change a user. Raises AgentUnknown, AgentNotAllowed, LoginNameTaken, RevisionStale.

        Ends the user's sessions when it may do less than before, or its password changed.
        """
        user = await self.get_agent(account_id, any_id)
        agent_id = user.id
        profiles = await self.list_profiles(account_id)
        password_hash = await self._hash_of(password)

        async def unit(tx: Transaction) -> tuple[AgentUser, tuple[str, ...]]:
            revision = await next_revision(tx, account_id, USERS_COLLECTION, if_match)
            before = await _read(tx, account_id, agent_id)
            after = msgspec.structs.replace(
                change.applied_to(before), revision=revision, updated_at_ms=self._clock.now_ms()
            )
            rules.check_user(after, profiles)
            await _rewrite(tx, after, password_hash)
            if password_hash is None and not rules.may_less(before, after, profiles):
                return after, ()
            return after, await session_store.delete_sessions_of(tx, account_id, agent_id)

        entry = told(user, "changed", fields=", ".join(change.named(password=password is not None)))
        changed, _ = await self._acts.do(unit, entry, then=lambda done: self._changed(*done))
        return changed

    async def delete_user(
        self, account_id: AccountId, any_id: str, if_match: int = ANY_REVISION
    ) -> AgentUser:
        """Take a user away, with its sessions and application keys. Raises AgentUnknown, RevisionStale."""
        user = await self.get_agent(account_id, any_id)

        async def unit(tx: Transaction) -> tuple[str, ...]:
            await next_revision(tx, account_id, USERS_COLLECTION, if_match)
            await store.delete_agent(tx, user, self._clock.now_ms())
            await session_store.delete_api_keys_of(tx, account_id, user.id)
            return await session_store.delete_sessions_of(tx, account_id, user.id)

        await self._acts.do(unit, told(user, "deleted"), then=lambda ended: self._changed(user, ended))
        return user

    async def set_privilege(
        self, account_id: AccountId, profile_name: str, privilege: Privilege, *, on: bool
    ) -> Profile:
        """Switch a privilege for everyone of a profile; taking one away signs them out."""
        found = (await store.load_profiles(self._database, account_id)).get(profile_name)
        if found is None:
            raise AgentNotAllowed(f"No profile {profile_name!r}")
        privileges = found.privileges | {privilege} if on else found.privileges - {privilege}
        profile = msgspec.structs.replace(found, privileges=privileges)
        members = [user for user in await self.list_users(account_id) if user.profile == profile_name]
        losers = () if privileges >= found.privileges else members

        async def unit(tx: Transaction) -> list[AgentChanged]:
            await store.upsert_profile(tx, account_id, profile)
            ended = {
                user.id: await session_store.delete_sessions_of(tx, account_id, user.id) for user in losers
            }
            return [AgentChanged(account_id, user.id, ended.get(user.id, ())) for user in members]

        def then(changes: list[AgentChanged]) -> None:
            self._profiles.drop(account_id)
            for change in changes:
                self.tell(change)

        entry = Entry(
            account_id, Act.SETTING_CHANGED, f"profile {profile_name}", detail={privilege.name.lower(): on}
        )
        await self._acts.do(unit, entry, then=then)
        return profile

    def _new_user(self, account_id: AccountId, login_name: str, profile: Profile) -> AgentUser:
        now_ms = self._clock.now_ms()
        return AgentUser(
            account_id=account_id,
            id=ParticipantId(new_uuid()),
            user_id=str(
                100_000_000 + secrets.randbelow(2_000_000_000)
            ),  # COMPAT: some clients parse an int32
            login_name=login_name,
            profile=profile.name,
            max_conversations=profile.max_conversations,
            is_bot=profile.name == "bot",
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )

    async def _hash_of(self, password: str | None) -> str | None:
        if password is None:
            return None
        rules.check_password(password)
        return await self._passwords.hash(password)

    def _changed(self, user: AgentUser, ended_sessions: tuple[str, ...]) -> None:
        for any_id in (user.id, user.user_id):
            self._users.drop((user.account_id, any_id))
        self.tell(AgentChanged(user.account_id, user.id, ended_sessions))

    def tell(self, change: AgentChanged) -> None:
        """Say what became of a user, after COMMIT."""
        for listener in self._listeners:
            listener(change)


def told(user: AgentUser, change: str, **more: str) -> Entry:
    """What the audit trail says of a user."""
    detail = {"change": change, "id": user.id, **more}
    return Entry(user.account_id, Act.USER_CHANGED, user.login_name, detail=detail)


async def _read(tx: Transaction, account_id: AccountId, agent_id: ParticipantId) -> AgentUser:
    found = await store.read_agent(tx, account_id, agent_id)
    if found is None:
        raise AgentUnknown
    return found


async def _rewrite(tx: Transaction, user: AgentUser, password_hash: str | None) -> None:
    if await store.is_taken(tx, user):
        raise LoginNameTaken(f"There is a user {user.login_name!r} already")
    await store.update_agent(tx, user)
    if password_hash is not None:
        await store.update_password(tx, user, password_hash)
