"""The door of connectors: apps get their tokens here, and what they bring is checked.

Source: docs/protocol.md 3.5, 3.6.
"""

import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from talkwire.backends.database.port import Database, Transaction
from talkwire.connectors import rules, store, tokens
from talkwire.connectors.apps import Apps
from talkwire.connectors.errors import (
    AppCredentialsWrong,
    AppOff,
    AppTokenInvalid,
    ScopeMissing,
)
from talkwire.connectors.model import SEND_SCOPE, App
from talkwire.connectors.records import Sealer
from talkwire.connectors.tokens import AppClaims
from talkwire.identity.keys import SigningKeys
from talkwire.identity.model import Principal
from talkwire.identity.throttle import Throttle
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, digest_of, new_token

PURPOSE = "connectors.consumer_tokens"
MAX_REMEMBERED = 50_000
V = TypeVar("V")


class Memory(Generic[V]):
    """What was checked before, by digest. The oldest is forgotten first."""

    def __init__(self, capacity: int = MAX_REMEMBERED) -> None:
        self._capacity = capacity
        self._held: OrderedDict[tuple[str, ...], V] = OrderedDict()

    def find(self, key: tuple[str, ...]) -> V | None:
        return self._held.get(key)

    def keep(self, key: tuple[str, ...], value: V) -> None:
        self._held[key] = value
        if len(self._held) > self._capacity:
            self._held.popitem(last=False)


@dataclass(frozen=True)
class ConsumerSecrets:
    """The secret of each account that its ConsumerJWS are signed with; made at the first asking."""

    database: Database
    clock: Clock
    sealer: Sealer
    opened: dict[AccountId, bytes] = field(default_factory=dict)

    async def get(self, account_id: AccountId) -> bytes:
        held = self.opened.get(account_id)
        if held is None:
            sealed = await store.find_signing_secret(self.database, account_id)
            sealed = sealed or await self._make(account_id)
            held = self.opened[account_id] = await self.sealer.unseal(account_id, PURPOSE, sealed)
        return held

    async def _make(self, account_id: AccountId) -> bytes:
        sealed = await self.sealer.seal(account_id, PURPOSE, new_token().encode())
        now_ms = self.clock.now_ms()

        async def unit(tx: Transaction) -> bytes:
            return await store.keep_signing_secret(tx, account_id, sealed, now_ms)

        return await self.database.write(unit)


class Sentinel:
    """Issues AppJWTs and ConsumerJWS, and says who speaks when they come back."""

    def __init__(
        self,
        apps: Apps,
        keys: SigningKeys,
        secrets: ConsumerSecrets,
        clock: Clock,
        *,
        failures_per_minute: int = 10,
        external_id_characters: int = 256,
    ) -> None:
        self._apps = apps
        self._keys = keys
        self._secrets = secrets
        self._clock = clock
        self._external_id_characters = external_id_characters
        self._failures = Throttle(clock, failures_per_minute)
        self._app_tokens: Memory[AppClaims] = Memory()
        self._consumer_tokens: Memory[Principal] = Memory()

    async def app_token(
        self, account_id: AccountId, client_id: str, client_secret: str, address: str = ""
    ) -> str:
        """An AppJWT for an hour. Raises AppCredentialsWrong, AppOff, TooManyAttempts."""
        self._failures.check(account_id, client_id, address)
        app = await self._apps.find(account_id, client_id)
        if app is None or app.deleted or not await self._is_secret(app, client_secret):
            self._failures.count(account_id, client_id, address)
            raise AppCredentialsWrong
        if not app.enabled:
            raise AppOff
        claims = tokens.app_claims(account_id, app.client_id, app.scope, self._clock.now_ms())
        return await self._keys.sign(account_id, claims)

    async def app_of(self, account_id: AccountId, token: str) -> App:
        """The app that an AppJWT names, if it may speak now. Raises AppTokenInvalid, ScopeMissing."""
        key = (account_id, digest_of(token))
        claims = self._app_tokens.find(key)
        if claims is None:
            claims = await self._check(account_id, token)
            self._app_tokens.keep(key, claims)
        if claims.expires_at_ms <= self._clock.now_ms():
            raise AppTokenInvalid("The AppJWT has expired")
        app = await self._apps.find(account_id, claims.client_id)
        if app is None or not app.is_in_use:
            raise AppTokenInvalid("The app is disabled or gone")
        if SEND_SCOPE not in claims.scopes or SEND_SCOPE not in app.scopes:
            raise ScopeMissing
        return app

    async def consumer_token(self, app: App, external_id: object) -> str:
        """A ConsumerJWS for whom the app calls `external_id`; without an end. Raises ExternalIdInvalid."""
        checked = rules.check_external_id(external_id, self._external_id_characters)
        secret = await self._secrets.get(app.account_id)
        return tokens.consumer_token(app.account_id, app.client_id, checked, secret)

    async def principal_of(self, app: App, token: str) -> Principal:
        """The consumer for whom the app speaks. Raises ConsumerTokenInvalid."""
        key = (app.account_id, app.client_id, digest_of(token))
        who = self._consumer_tokens.find(key)
        if who is None:
            secret = await self._secrets.get(app.account_id)
            consumer_id = tokens.check_consumer_token(app.account_id, app.client_id, token, secret)
            who = tokens.principal_of(app.account_id, app.client_id, consumer_id)
            self._consumer_tokens.keep(key, who)
        return who

    async def _check(self, account_id: AccountId, token: str) -> AppClaims:
        public = await self._keys.find_public(account_id, tokens.key_id_of(token))
        if public is None:
            raise AppTokenInvalid
        return tokens.check_app_token(account_id, token, public)

    async def _is_secret(self, app: App, secret: str) -> bool:
        kept = await self._apps.secret_of(app)
        return hmac.compare_digest(kept.encode(), secret.encode("utf-8", "surrogatepass"))
