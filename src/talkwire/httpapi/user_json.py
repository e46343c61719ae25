"""Users and profiles as JSON, in and out. Source: docs/protocol.md 10.3."""

from typing import Any

import msgspec

from talkwire.identity.model import Privilege
from talkwire.identity.rules import privileges_of
from talkwire.identity.users import AgentChange, AgentUser, Profile
from talkwire.kernel.errors import Invalid
from talkwire.kernel.ids import SkillId

HUMAN, BOT = 1, 2
MAX_ID_DIGITS = 9
_FIELDS = {
    "loginName": "login_name",
    "fullName": "full_name",
    "nickname": "nickname",
    "email": "email",
    "pictureUrl": "picture_url",
    "employeeId": "employee_id",
    "maxChats": "max_conversations",
    "maxAsyncChats": "max_conversations",
    "isEnabled": "enabled",
}


def privilege_of(name: str) -> Privilege:
    """A privilege by its name or number. Raises Invalid."""
    try:
        return Privilege(int(name)) if name.isdecimal() else Privilege[name.upper()]
    except (KeyError, ValueError):
        raise Invalid(f"No privilege {name!r}; there are {', '.join(p.name for p in Privilege)}") from None


def change_of(body: dict[str, Any], profiles: dict[str, Profile]) -> AgentChange:
    """What a user's JSON asks to set. Raises Invalid."""
    given: dict[str, Any] = {ours: body[theirs] for theirs, ours in _FIELDS.items() if theirs in body}
    if "skillIds" in body:
        given["skills"] = tuple(SkillId(str(one)) for one in _list(body["skillIds"]))
    if "userTypeId" in body:
        given["is_bot"] = str(body["userTypeId"]) == str(BOT)
    if (profile := _profile_in(body, profiles)) is not None:
        given["profile"] = profile
    if "grantedPrivileges" in body:
        granted = _list(body["grantedPrivileges"])
        given["granted"] = frozenset(privilege_of(str(one)) for one in granted)
    try:
        return msgspec.convert(given, AgentChange, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"User not understood: {error}") from None


def shown_user(user: AgentUser, profiles: dict[str, Profile]) -> dict[str, Any]:
    profile = profiles.get(user.profile)
    return {
        "id": int(user.user_id),
        "pid": user.id,
        "deleted": False,
        "loginName": user.login_name,
        "fullName": user.full_name,
        "nickname": user.nickname,
        "email": user.email,
        "pictureUrl": user.picture_url,
        "employeeId": user.employee_id,
        "isEnabled": user.enabled,
        "maxChats": user.max_conversations,
        "maxAsyncChats": user.max_conversations,
        "skillIds": [int(skill) if skill.lstrip("-").isdecimal() else skill for skill in user.skills],
        "profileIds": [profile.id] if profile else [],
        "profiles": [{"id": profile.id, "name": profile.name}] if profile else [],
        "privileges": [privilege.name for privilege in sorted(privileges_of(user, profiles))],
        "grantedPrivileges": [privilege.name for privilege in sorted(user.granted)],
        "userTypeId": BOT if user.is_bot else HUMAN,
        "memberOf": {"agentGroupId": -1},
        "managerOf": [],
        "dateCreated": user.created_at_ms,
        "revision": user.revision,
    }


def public_user(user: AgentUser) -> dict[str, Any]:
    """What consumers may see of an agent."""
    return {
        "pictureUrl": user.picture_url,
        "employeeId": user.employee_id,
        "nickname": user.nickname,
        "fullName": user.full_name,
    }


def shown_profile(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id,
        "name": profile.name,
        "deleted": False,
        "maxChats": profile.max_conversations,
        "permissions": [privilege.name for privilege in sorted(profile.privileges)],
    }


def _profile_in(body: dict[str, Any], profiles: dict[str, Profile]) -> str | None:
    """The first profile named, by `profileIds` or by `profiles` with ids or names."""
    by_id = {profile.id: profile.name for profile in profiles.values()}
    for one in [*_list(body.get("profileIds")), *_list(body.get("profiles")), body.get("profile")]:
        wanted = one.get("id", one.get("name")) if isinstance(one, dict) else one
        if isinstance(wanted, str):
            is_id = wanted.isdecimal() and len(wanted) <= MAX_ID_DIGITS
            return by_id.get(int(wanted), wanted) if is_id else wanted.lower()
        if isinstance(wanted, int):
            return by_id.get(wanted, str(wanted))
    return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
