"""Application keys: how a bot signs in without a password (the four values of OAuth 1)."""

import hmac
from collections.abc import Sequence

import msgspec

from talkwire.audit.acts import Acts, Unrecorded
from talkwire.backends.database.port import Database, Transaction
from talkwire.identity import session_store
from talkwire.identity.agents import AgentChanged, Agents, told
from talkwire.identity.errors import ApiKeyUnknown, CredentialsWrong
from talkwire.identity.session_store import ApiKey
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, new_token
from talkwire.vault.sealed_texts import SealedTexts, Sealer

PURPOSE = "application key"


class ApiKeys:
    """Makes, checks and takes back application keys; each speaks for one user."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        agents: Agents,
        acts: Acts | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self._database = database
        self._secrets = SealedTexts(sealer, PURPOSE)
        self._acts = acts or Unrecorded(database)
        self._clock = clock
        self._agents = agents

    async def create(self, account_id: AccountId, any_id: str) -> ApiKey:
        """A new key for a user. Raises AgentUnknown."""
        user = await self._agents.get_agent(account_id, any_id)
        app_key, secret, access_token, token_secret = (new_token()[:32] for _ in range(4))
        key = ApiKey(account_id, app_key, secret, access_token, token_secret, user.id, self._clock.now_ms())
        kept = await self._sealed(key)

        async def unit(tx: Transaction) -> None:
            await session_store.insert_api_key(tx, kept)

        await self._acts.do(unit, told(user, "application key made", key=app_key))
        return key

    async def find(self, account_id: AccountId, app_key: str) -> ApiKey | None:
        """The key with its secrets; None also when they were sealed by keys that were lost since."""
        kept = await session_store.find_api_key(self._database, account_id, app_key)
        if kept is None:
            return None
        texts = [await self._secrets.open(account_id, text) for text in _texts_of(kept)]
        opened = [text for text in texts if text is not None]
        return _with(kept, opened) if len(opened) == len(texts) else None

    async def delete(self, account_id: AccountId, app_key: str) -> None:
        """Take a key back, and sign its user out: who stole the key may be signed in. Raises ApiKeyUnknown."""
        key = await session_store.find_api_key(self._database, account_id, app_key)
        if key is None:
            raise ApiKeyUnknown("No such application key")

        user = await self._agents.get_agent(account_id, key.agent_id)

        async def unit(tx: Transaction) -> tuple[str, ...]:
            await session_store.delete_api_key(tx, account_id, app_key)
            return await session_store.delete_sessions_of(tx, account_id, key.agent_id)

        def then(ended: tuple[str, ...]) -> None:
            self._agents.tell(AgentChanged(account_id, key.agent_id, ended))

        await self._acts.do(unit, told(user, "application key taken back", key=app_key), then=then)

    async def check(self, account_id: AccountId, given: ApiKey) -> ApiKey:
        """The stored key, if all four values are right. Raises CredentialsWrong."""
        stored = await self.find(account_id, given.app_key)
        if stored is None or not hmac.compare_digest(_secrets_of(stored), _secrets_of(given)):
            raise CredentialsWrong
        return stored

    async def _sealed(self, key: ApiKey) -> ApiKey:
        return _with(key, [await self._secrets.seal(key.account_id, text) for text in _texts_of(key)])


def _texts_of(key: ApiKey) -> tuple[str, str, str]:
    return key.secret, key.access_token, key.access_token_secret


def _with(key: ApiKey, texts: Sequence[str]) -> ApiKey:
    secret, access_token, token_secret = texts
    return msgspec.structs.replace(
        key, secret=secret, access_token=access_token, access_token_secret=token_secret
    )


def _secrets_of(key: ApiKey) -> bytes:
    return "\0".join(_texts_of(key)).encode("utf-8", "replace")
