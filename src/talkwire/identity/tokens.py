"""Consumers' tokens: what is in them, and which are believed. Pure but for the RSA arithmetic.

Source: docs/protocol.md 3.4.
"""

import binascii
from collections.abc import Mapping
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.utils import base64url_decode

from talkwire.identity.errors import TokenNotAccepted
from talkwire.identity.model import Kind, Principal
from talkwire.kernel.ids import AccountId, ParticipantId

ALGORITHM = "RS256"
MAX_TOKEN = 2048
"""Schema limit of the InitConnection header; what we issue stays within, what is longer is not ours."""

ISSUER = "https://idp.liveperson.net"
"""COMPAT: the name that clients find in `iss` today. Source: docs/protocol.md 3.4."""

_SIGNATURE_OVERHEAD = 800  # header, signature and dots around the claims, generously
_OPTIONS: Any = {
    "require": ["exp", "sub", "aud"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class Claims(msgspec.Struct, frozen=True):
    """What a checked token of ours says."""

    subject: ParticipantId
    expires_at_ms: int
    is_anonymous: bool
    renewable_until_ms: int


def consumer_claims(account_id: AccountId, consumer_id: str, now_ms: int, seconds: int) -> dict[str, Any]:
    """The claims of a plain consumer token."""
    now = now_ms // 1000
    return {
        "sub": consumer_id,
        "aud": f"acc:{account_id}",
        "iss": ISSUER,
        "iat": now,
        "exp": now + seconds,
    }


def with_external(claims: dict[str, Any], external: Mapping[str, Any]) -> dict[str, Any]:
    """Add what the brand's own token said; its engagement attributes only as far as they fit."""
    short = {name: external[name] for name in ("sub", "iss") if name in external}
    full = {**short, **({"lp_sdes": external["lp_sdes"]} if external.get("lp_sdes") else {})}
    extended = {**claims, "lp.ext": full}
    if len(msgspec.json.encode(extended)) * 4 // 3 + _SIGNATURE_OVERHEAD <= MAX_TOKEN:
        return extended
    return {**claims, "lp.ext": short}


def key_id_of(token: str) -> str:
    """The key a token names, before anything of it is believed. Raises TokenNotAccepted."""
    if len(token) > MAX_TOKEN:
        raise TokenNotAccepted("The token is too long")
    return named_key(token)


def named_key(token: str) -> str:
    """The same of a token whose length was looked at. Raises TokenNotAccepted."""
    try:
        header = msgspec.json.decode(base64url_decode(token.partition(".")[0].encode()))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise TokenNotAccepted from None
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM:
        raise TokenNotAccepted
    key_id = header.get("kid")
    if not isinstance(key_id, str):
        raise TokenNotAccepted
    return key_id


def check_ours(account_id: AccountId, token: str, public: rsa.RSAPublicKey) -> Claims:
    """Believe a token of ours, its end aside. Raises TokenNotAccepted. Takes 0.05 ms."""
    try:
        claims = jwt.decode(
            token, public, [ALGORITHM], audience=f"acc:{account_id}", issuer=ISSUER, options=_OPTIONS
        )
        return Claims(
            subject=ParticipantId(str(claims["sub"])),
            expires_at_ms=int(claims["exp"]) * 1000,
            is_anonymous=claims.get("lp.anonymous") is True,
            renewable_until_ms=int(claims.get("lp.renewable", 0)) * 1000,
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        raise TokenNotAccepted from None


def principal_of(account_id: AccountId, claims: Claims) -> Principal:
    return Principal(
        account_id=account_id,
        id=claims.subject,
        kind=Kind.CONSUMER,
        old_id=claims.subject,
        name=claims.subject,
        is_anonymous=claims.is_anonymous,
        expires_at_ms=claims.expires_at_ms,
    )
