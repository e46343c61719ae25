"""The two tokens of a connector: what is in them, and which are believed. Pure but for the arithmetic.

An *AppJWT* says which app speaks (RS256, an hour). A *ConsumerJWS* says for whom (HS256 by a secret of the
account that nobody else has, without an end); it is good for the one app that asked for it, because the
consumer's id is a function of both.

Source: docs/protocol.md 3.5, 3.6.
"""

from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from talkwire.connectors.errors import AppTokenInvalid, ConsumerTokenInvalid
from talkwire.connectors.rules import consumer_id_of
from talkwire.identity.errors import TokenNotAccepted
from talkwire.identity.model import Kind, Principal
from talkwire.identity.tokens import named_key
from talkwire.kernel.ids import AccountId, ParticipantId

APP_ALGORITHM, CONSUMER_ALGORITHM = "RS256", "HS256"
ISSUER = "Sentinel"
"""COMPAT: the name that clients find in `iss` today."""

APP_TOKEN_SECONDS = 3_600
MAX_TOKEN = 8_000  # what a header line may hold
_jws = jwt.PyJWS()  # takes UTF-8, where `jwt.encode` would make six characters of one
_OPTIONS: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
_APP_OPTIONS: Any = {**_OPTIONS, "require": ["exp", "aud", "azp", "iss"]}
_CONSUMER_OPTIONS: Any = {**_OPTIONS, "verify_aud": False}


class AppClaims(msgspec.Struct, frozen=True):
    """What a checked AppJWT says."""

    client_id: str
    scopes: frozenset[str]
    expires_at_ms: int


def app_claims(account_id: AccountId, client_id: str, scope: str, now_ms: int) -> dict[str, Any]:
    now = now_ms // 1000
    return {
        "aud": account_id,
        "azp": client_id,
        "scope": scope,
        "iss": ISSUER,
        "iat": now,
        "exp": now + APP_TOKEN_SECONDS,
    }


def key_id_of(token: str) -> str:
    """The key an AppJWT names, before anything of it is believed. Raises AppTokenInvalid."""
    if len(token) > MAX_TOKEN or not token.isascii():
        raise AppTokenInvalid
    try:
        return named_key(token)
    except TokenNotAccepted:
        raise AppTokenInvalid from None


def check_app_token(account_id: AccountId, token: str, public: rsa.RSAPublicKey) -> AppClaims:
    """Believe an AppJWT of ours, its end aside. Raises AppTokenInvalid."""
    try:
        claims = jwt.decode(
            token, public, [APP_ALGORITHM], audience=account_id, issuer=ISSUER, options=_APP_OPTIONS
        )
        return AppClaims(
            client_id=str(claims["azp"]),
            scopes=frozenset(str(claims.get("scope", "")).split()),
            expires_at_ms=int(claims["exp"]) * 1000,
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        raise AppTokenInvalid from None


def consumer_token(account_id: AccountId, client_id: str, external_id: str, secret: bytes) -> str:
    """The ConsumerJWS for whom the app calls `external_id`."""
    claims = {
        "account_id": account_id,
        "ext_consumer_id": external_id,
        "lp_consumer_id": consumer_id_of(account_id, client_id, external_id),
    }
    return _jws.encode(msgspec.json.encode(claims), secret, CONSUMER_ALGORITHM)


def check_consumer_token(account_id: AccountId, client_id: str, token: str, secret: bytes) -> ParticipantId:
    """The consumer that a ConsumerJWS names, if it was made for this app. Raises ConsumerTokenInvalid."""
    if len(token) > MAX_TOKEN or not token.isascii():
        raise ConsumerTokenInvalid
    try:
        claims = jwt.decode(token, secret, [CONSUMER_ALGORITHM], options=_CONSUMER_OPTIONS)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ConsumerTokenInvalid from None
    consumer_id = consumer_id_of(account_id, client_id, str(claims.get("ext_consumer_id", "")))
    if claims.get("account_id") != account_id or claims.get("lp_consumer_id") != consumer_id:
        raise ConsumerTokenInvalid
    return consumer_id


def principal_of(account_id: AccountId, client_id: str, consumer_id: ParticipantId) -> Principal:
    """A consumer for whom an app speaks."""
    return Principal(
        account_id=account_id,
        id=consumer_id,
        kind=Kind.APP,
        old_id=consumer_id,
        name=client_id,
        app_id=client_id,
    )
