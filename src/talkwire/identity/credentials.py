"""What agents and bots sign in with, and whose it is."""

import msgspec

from talkwire.backends.database.port import Database
from talkwire.identity import rules, store
from talkwire.identity.agents import Agents
from talkwire.identity.api_keys import ApiKeys
from talkwire.identity.errors import CredentialsIncomplete, CredentialsWrong
from talkwire.identity.passwords import Passwords
from talkwire.identity.session_store import ApiKey
from talkwire.identity.users import AgentUser
from talkwire.kernel.ids import AccountId, ParticipantId


class Credentials(msgspec.Struct, frozen=True, rename="camel"):
    """What a client may send to sign in: one of three kinds. Source: docs/protocol.md 3.1."""

    username: str | None = None
    password: str | None = None
    app_key: str | None = None
    secret: str | None = None
    access_token: str | None = None
    access_token_secret: str | None = None
    assertion: str | None = None

    @property
    def kind(self) -> str:
        """In words, for the record."""
        return "password" if self.app_key is None else "application key"

    @property
    def name(self) -> str:
        """Who they are said to be of, as attempts are counted; no secret."""
        return rules.login_key(self.username or self.app_key or "")[: rules.MAX_LOGIN_NAME]


class CredentialCheck:
    """Passwords and application keys, compared with what is stored of them."""

    def __init__(self, database: Database, agents: Agents, keys: ApiKeys, passwords: Passwords) -> None:
        self._database = database
        self._agents = agents
        self._keys = keys
        self._passwords = passwords

    async def get_agent(self, account_id: AccountId, credentials: Credentials) -> AgentUser:
        """Whose they are. Raises CredentialsIncomplete, CredentialsWrong, TooManyAttempts."""
        if credentials.app_key is not None:
            agent = await self._of_key(account_id, credentials)
        else:
            agent = await self._of_password(account_id, credentials)
        if not agent.enabled:
            raise CredentialsWrong
        return agent

    async def is_known(self, account_id: AccountId, name: str) -> bool:
        """Whether it is somebody's: a user's login name, or an application key."""
        if await self._agents.find_by_login(account_id, name) is not None:
            return True
        return await self._keys.find(account_id, name) is not None

    async def _of_password(self, account_id: AccountId, credentials: Credentials) -> AgentUser:
        if not credentials.username or not credentials.password:
            raise CredentialsIncomplete
        found = await store.find_by_login(self._database, account_id, credentials.username)
        stored_hash = found[1] if found else None
        if not await self._passwords.matches(stored_hash, credentials.password) or found is None:
            raise CredentialsWrong
        return found[0]

    async def _of_key(self, account_id: AccountId, credentials: Credentials) -> AgentUser:
        given = _key_of(account_id, credentials)
        stored = await self._keys.check(account_id, given)
        agent = await self._agents.find_agent(account_id, stored.agent_id)
        name = credentials.username
        if agent is None or (name and name.casefold() != agent.login_name.casefold()):
            raise CredentialsWrong
        return agent


def _key_of(account_id: AccountId, credentials: Credentials) -> ApiKey:
    values = (
        credentials.app_key, credentials.secret, credentials.access_token, credentials.access_token_secret
    )  # fmt: skip
    if not all(values):
        raise CredentialsIncomplete
    app_key, secret, access_token, token_secret = (value or "" for value in values)
    return ApiKey(account_id, app_key, secret, access_token, token_secret, ParticipantId(""), 0)
