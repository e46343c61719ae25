"""Consumers come in: sign-up, the brand's own sign-in, anonymous visits; and their tokens are checked."""

from collections import OrderedDict
from typing import Any

from talkwire.accounts.errors import AccountUnknown
from talkwire.accounts.service import Accounts
from talkwire.identity import rules, tokens
from talkwire.identity.brand_keys import BrandKeys
from talkwire.identity.consumer_profiles import ConsumerProfiles
from talkwire.identity.errors import AuthCodeNotAccepted, TokenNotAccepted
from talkwire.identity.keys import SigningKeys
from talkwire.identity.limits import ConsumerLimits
from talkwire.identity.model import Principal
from talkwire.identity.pacing import Door
from talkwire.identity.throttle import Throttle
from talkwire.identity.tokens import Claims
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId, digest_of, new_uuid

MAX_REMEMBERED = 20_000


class Consumers:
    """The door for consumers. A sign-up writes nothing: a consumer exists once it says something."""

    def __init__(
        self,
        accounts: Accounts,
        keys: SigningKeys,
        brand_keys: BrandKeys,
        profiles: ConsumerProfiles,
        clock: Clock,
        limits: ConsumerLimits,
    ) -> None:
        self._accounts = accounts
        self._keys = keys
        self._brand_keys = brand_keys
        self.profiles = profiles
        self._clock = clock
        self._limits = limits
        self._sign_ups = Throttle(clock, limits.sign_ups_per_minute)
        self._door = Door(limits.sign_ups_per_second)
        self._checked: OrderedDict[str, Principal] = OrderedDict()

    async def sign_up(self, account_id: AccountId, address: str = "") -> str:
        """A token for somebody new. Raises AccountUnknown, TooManyAttempts."""
        await self._admit(account_id, address)
        return await self._issue(account_id, new_uuid())

    async def authenticate(self, account_id: AccountId, auth_code: str, address: str = "") -> str:
        """A token for the customer that the brand's own token names: always the same consumer.

        Raises AccountUnknown, AuthCodeNotAccepted, TooManyAttempts.
        """
        await self._admit(account_id, address)
        external = await self._brand_keys.check(account_id, auth_code)
        issuer, subject = str(external.get("iss", "")), str(external["sub"])
        try:
            consumer_id = rules.consumer_id_of(account_id, issuer, subject)
        except UnicodeEncodeError:
            raise AuthCodeNotAccepted from None
        await self.profiles.set_claims(account_id, consumer_id, external)
        claims = self._claims(account_id, consumer_id, self._limits.token_seconds)
        return await self._keys.sign(account_id, tokens.with_external(claims, external))

    async def anonymous(self, account_id: AccountId, id_token: str | None = None, address: str = "") -> str:
        """A short token for a visitor, or another one for the visitor of `id_token`, which may have expired.

        Raises AccountUnknown, TokenNotAccepted, TooManyAttempts.
        """
        await self._admit(account_id, address)
        now_ms = self._clock.now_ms()
        if id_token is None:
            consumer_id, until_ms = new_uuid(), now_ms + self._limits.renewable_hours * 3_600_000
        else:
            before = await self._check(account_id, id_token)
            if not before.is_anonymous or before.renewable_until_ms <= now_ms:
                raise TokenNotAccepted("The token cannot be renewed any more")
            consumer_id, until_ms = before.subject, before.renewable_until_ms
        claims = self._claims(account_id, consumer_id, self._limits.anonymous_seconds)
        return await self._keys.sign(
            account_id, {**claims, "lp.anonymous": True, "lp.renewable": until_ms // 1000}
        )

    async def principal_of_jwt(self, account_id: AccountId, jwt: str) -> Principal:
        """Who a consumer's token stands for, from memory after its first use. Raises TokenNotAccepted."""
        digest = digest_of(jwt)
        principal = self._checked.get(digest)
        if principal is None:
            principal = tokens.principal_of(account_id, await self._check(account_id, jwt))
            self._remember(digest, principal)
        if principal.account_id != account_id:
            raise TokenNotAccepted
        if principal.expires_at_ms <= self._clock.now_ms():
            self._checked.pop(digest, None)
            raise TokenNotAccepted("The token has expired")
        return principal

    async def _admit(self, account_id: AccountId, address: str) -> None:
        if await self._accounts.find(account_id) is None:
            raise AccountUnknown
        self._sign_ups.take(account_id, address)
        await self._door.enter()

    async def _issue(self, account_id: AccountId, consumer_id: str) -> str:
        return await self._keys.sign(
            account_id, self._claims(account_id, consumer_id, self._limits.token_seconds)
        )

    def _claims(self, account_id: AccountId, consumer_id: str, seconds: int) -> dict[str, Any]:
        return tokens.consumer_claims(account_id, consumer_id, self._clock.now_ms(), seconds)

    async def _check(self, account_id: AccountId, token: str) -> Claims:
        public = await self._keys.find_public(account_id, tokens.key_id_of(token))
        if public is None:
            raise TokenNotAccepted
        return tokens.check_ours(account_id, token, public)

    def _remember(self, digest: str, principal: Principal) -> None:
        self._checked[digest] = principal
        if len(self._checked) > MAX_REMEMBERED:
            self._checked.popitem(last=False)
