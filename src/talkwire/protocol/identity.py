"""Bodies of connecting and of user profiles. Source: docs/protocol.md 5.1, 5.9."""

from typing import Any

import msgspec


class SetUserProfile(msgspec.Struct, rename="camel"):
    """Unknown members are ignored; `{}` is legal."""

    user_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    nick_name: str | None = None
    avatar_url: str | None = None
    role: str | None = None
    backgnd_img_uri: str | None = None
    description: str | None = None
    authenticated_data: dict[str, Any] | None = None
    private_data: dict[str, Any] | None = None
    claims: dict[str, Any] | None = None


class UserId(msgspec.Struct, rename="camel"):
    user_id: str | None = None


GetUserProfile = str | UserId
"""COMPAT: a bare id, `{"userId": id}`, or `{}` for oneself."""
