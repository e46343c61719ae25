"""The brand's own identity service: its public keys, and its tokens about its customers.

Source: docs/protocol.md 3.4, "authenticate".
"""

from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from talkwire.accounts.cache import Cache
from talkwire.audit.acts import Acts, Unrecorded
from talkwire.audit.model import Act, Entry
from talkwire.backends.database.port import Database, Transaction
from talkwire.identity import consumer_store
from talkwire.identity.consumer_store import BrandKey
from talkwire.identity.errors import AuthCodeNotAccepted, BrandKeyNotAllowed, BrandKeyUnknown
from talkwire.kernel.clock import Clock
from talkwire.kernel.ids import AccountId

MAX_AUTH_CODE = 65_536
MAX_SUBJECT = 256
MAX_KEYS = 16
SKEW_SECONDS = 60
MIN_KEY_BITS = 2048
MAX_KEY_BITS = 8192
_OPTIONS: Any = {
    "require": ["exp", "sub"], "verify_exp": False, "verify_iat": False, "verify_nbf": False,
    "verify_aud": False,
}  # fmt: skip


class BrandKeys:
    """Whom a brand lets vouch for its customers."""

    def __init__(self, database: Database, clock: Clock, acts: Acts | None = None) -> None:
        self._acts = acts or Unrecorded(database)
        self._clock = clock
        self._keys: Cache[AccountId, list[BrandKey]] = Cache(
            clock, lambda account_id: consumer_store.list_brand_keys(database, account_id)
        )

    async def put(self, account_id: AccountId, key_id: str, public_pem: str, issuer: str = "") -> BrandKey:
        """Trust a key from now on; the same name again replaces it. Raises BrandKeyNotAllowed."""
        if not 1 <= len(key_id) <= MAX_SUBJECT or not key_id.isprintable():
            raise BrandKeyNotAllowed("A key needs a name of 1 to 256 characters; a token's `kid` may name it")
        _public_of(public_pem)
        existing = await self.list_keys(account_id)
        if len(existing) >= MAX_KEYS and key_id not in {key.key_id for key in existing}:
            raise BrandKeyNotAllowed(f"An account has at most {MAX_KEYS} keys")
        key = BrandKey(account_id, key_id, issuer, public_pem, self._clock.now_ms())

        async def unit(tx: Transaction) -> None:
            await consumer_store.upsert_brand_key(tx, key)

        entry = Entry(account_id, Act.SETTING_CHANGED, f"brand key {key_id}", detail={"change": "trusted"})
        await self._acts.do(unit, entry, then=lambda _: self._keys.drop(account_id))
        return key

    async def delete(self, account_id: AccountId, key_id: str) -> None:
        """Trust a key no more. Raises BrandKeyUnknown."""

        async def unit(tx: Transaction) -> None:
            if not await consumer_store.delete_brand_key(tx, account_id, key_id):
                raise BrandKeyUnknown("No such key")

        entry = Entry(account_id, Act.SETTING_CHANGED, f"brand key {key_id}", detail={"change": "deleted"})
        await self._acts.do(unit, entry, then=lambda _: self._keys.drop(account_id))

    async def list_keys(self, account_id: AccountId) -> list[BrandKey]:
        return await self._keys.find(account_id) or []

    async def check(self, account_id: AccountId, auth_code: str) -> dict[str, Any]:
        """The claims of a token that one of the brand's keys signed. Raises AuthCodeNotAccepted."""
        keys = await self.list_keys(account_id)
        if not keys:
            raise AuthCodeNotAccepted("This account has no key of its own identity service configured")
        claims = _claims_of(auth_code, keys)
        self._check_times(claims)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT:
            raise AuthCodeNotAccepted("`sub` must be 1 to 256 characters")
        return claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._clock.now_ms() / 1000
        try:
            if float(claims["exp"]) + SKEW_SECONDS <= now:
                raise AuthCodeNotAccepted("The authentication code has expired")
            if float(claims.get("nbf", 0)) - SKEW_SECONDS > now:
                raise AuthCodeNotAccepted("The authentication code is not valid yet")
        except (TypeError, ValueError):
            raise AuthCodeNotAccepted from None


def _claims_of(auth_code: str, keys: list[BrandKey]) -> dict[str, Any]:
    if len(auth_code) > MAX_AUTH_CODE:
        raise AuthCodeNotAccepted("The authentication code is too long")
    try:
        key_id = jwt.get_unverified_header(auth_code).get("kid")
    except jwt.PyJWTError:
        raise AuthCodeNotAccepted from None
    named = [key for key in keys if key.key_id == key_id]
    for key in named or keys:
        claims = _claims_by(key, auth_code)
        if claims is not None:
            return claims
    raise AuthCodeNotAccepted


def _claims_by(key: BrandKey, auth_code: str) -> dict[str, Any] | None:
    try:
        claims: dict[str, Any] = jwt.decode(
            auth_code,
            _public_of(key.public_pem),
            ["RS256"],
            issuer=key.issuer or None,
            options=_OPTIONS,
        )
    except jwt.PyJWTError:
        return None
    return claims


def _public_of(public_pem: str) -> rsa.RSAPublicKey:
    try:
        key = load_pem_public_key(public_pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise BrandKeyNotAllowed("Not a public key in PEM form (BEGIN PUBLIC KEY)") from None
    if not isinstance(key, rsa.RSAPublicKey) or not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS:
        raise BrandKeyNotAllowed("The key must be RSA with 2048 to 8192 bits")
    return key
