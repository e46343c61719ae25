"""Decisions of identity: what may be a user, when a session has ended, how ids and profiles come about. Pure."""

import hashlib
from typing import Any

from talkwire.identity.errors import AgentNotAllowed, ConsumerProfileNotAllowed
from talkwire.identity.model import Kind, Principal, Privilege
from talkwire.identity.users import AgentUser, Profile
from talkwire.kernel.ids import AccountId, ParticipantId

MAX_LOGIN_NAME = 256
MIN_PASSWORD = 8
MAX_PASSWORD = 1024
MAX_CAPACITY = 10_000
MAX_TEXT = 2048

PROFILE_FIELDS = frozenset(
    {
        "firstName", "lastName", "nickName", "avatarUrl", "role", "backgndImgUri", "description",
        "authenticatedData", "privateData",
    }
)  # fmt: skip
"""What a consumer may say of itself. `userId` is not taken from the body, and `claims` only from a checked
token: agents are shown them as verified. Source: docs/protocol.md 5.9."""


def check_user(user: AgentUser, profiles: dict[str, Profile]) -> None:
    """Refuse a user that could not sign in or be routed to."""
    name = user.login_name
    if not name or len(name) > MAX_LOGIN_NAME or not name.isprintable() or name != name.strip():
        raise AgentNotAllowed(f"A login name has 1 to {MAX_LOGIN_NAME} printable characters")
    if user.profile not in profiles:
        raise AgentNotAllowed(f"No profile {user.profile!r}; there are {', '.join(sorted(profiles))}")
    if not 0 <= user.max_conversations <= MAX_CAPACITY:
        raise AgentNotAllowed(f"An agent holds 0 to {MAX_CAPACITY} conversations")
    texts = (user.full_name, user.nickname, user.picture_url, user.email, user.employee_id)
    if any(len(text) > MAX_TEXT for text in texts):
        raise AgentNotAllowed(f"Names and addresses have at most {MAX_TEXT} characters")


def check_password(password: str) -> None:
    """Long enough to be worth hashing, short enough not to be an attack on the hash."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise AgentNotAllowed(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")


def login_key(login_name: str) -> str:
    """Login names are the same whatever their case."""
    return login_name.strip().casefold()


def bare_id(account_id: AccountId, any_id: str) -> str:
    """An agent's PId or user id, out of any of its three spellings."""
    return any_id.removeprefix(f"{account_id}.")


def privileges_of(user: AgentUser, profiles: dict[str, Profile]) -> frozenset[Privilege]:
    profile = profiles.get(user.profile)
    return user.granted | (profile.privileges if profile else frozenset())


def principal_of(user: AgentUser, profiles: dict[str, Profile]) -> Principal:
    """The agent as every service is told, before any session."""
    return Principal(
        account_id=user.account_id,
        id=user.id,
        kind=Kind.AGENT,
        old_id=user.old_id,
        name=user.login_name,
        privileges=privileges_of(user, profiles),
        is_bot=user.is_bot,
    )


def is_ended(now_ms: int, used_at_ms: int, expires_at_ms: int, idle_ms: int) -> bool:
    """Whether a session is over: idle too long, or past its last moment."""
    return now_ms >= expires_at_ms or now_ms - used_at_ms >= idle_ms


def consumer_id_of(account_id: AccountId, issuer: str, subject: str) -> ParticipantId:
    """The consumer that a brand's own identity service calls `subject`: 64 hex digits, always the same.

    An id, not a secret: whoever knows all three parts can compute it, and gains nothing by it.
    """
    parts = (account_id, issuer, subject)
    canonical = b"".join(b"%d:%b" % (len(raw), raw) for raw in (part.encode() for part in parts))
    return ParticipantId(hashlib.sha256(canonical).hexdigest())


def merged_profile(stored: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """What a consumer's profile is after it sent another one.

    A member that was sent replaces the stored one, null removes it, a member that was not sent stays.
    The same holds one level down in `authenticatedData` and `privateData`; lists are replaced whole.
    Members we do not know are dropped. Raises ConsumerProfileNotAllowed.
    """
    merged = dict(stored)
    for name in PROFILE_FIELDS & sent.keys():
        value = sent[name]
        if name in {"authenticatedData", "privateData"} and value is not None:
            value = _merged_section(name, merged.get(name, {}), value)
        merged[name] = value
    return {name: value for name, value in merged.items() if value is not None}


def _merged_section(name: str, stored: dict[str, Any], sent: object) -> dict[str, Any]:
    if not isinstance(sent, dict):
        raise ConsumerProfileNotAllowed(f"{name} must be an object")
    merged = {key: value for key, value in {**stored, **sent}.items() if value is not None}
    if name == "authenticatedData" and "lp_sdes" in merged:
        merged["lp_sdes"] = _sdes(merged["lp_sdes"])
    return merged


def _sdes(sent: object) -> list[dict[str, Any]]:
    """COMPAT: a single attribute may stand bare. Source: docs/protocol.md 4.2."""
    items = [sent] if isinstance(sent, dict) else sent
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ConsumerProfileNotAllowed("authenticatedData.lp_sdes must be a list of objects")
    return items


def may_less(before: AgentUser, after: AgentUser, profiles: dict[str, Profile]) -> bool:
    """Whether a change took a right away, so that what the user is doing now must end."""
    if before.enabled and not after.enabled:
        return True
    return not privileges_of(after, profiles) >= privileges_of(before, profiles)
