"""Users, their profiles, and what the public may see of them. Source: docs/protocol.md 10.3."""

import re
from typing import Any

import msgspec
from aiohttp import web

from talkwire.accounts.model import ANY_REVISION
from talkwire.httpapi.authorization import account_of, administrator_principal, brand_principal
from talkwire.httpapi.bodies import answer, needed_text_of, read_json, read_object, script, text_of
from talkwire.httpapi.configuration import if_match, revised
from talkwire.identity.agents import Agents
from talkwire.identity.errors import AgentUnknown
from talkwire.identity.model import Privilege
from talkwire.identity.rules import privileges_of
from talkwire.identity.users import AgentChange, AgentUser, Profile
from talkwire.kernel.errors import Invalid
from talkwire.kernel.ids import AccountId, SkillId

HUMAN, BOT = 1, 2
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
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


def routes(agents: Agents) -> list[web.RouteDef]:
    async def list_users(request: web.Request) -> web.Response:
        await brand_principal(request)
        account_id = account_of(request)
        profiles = await agents.list_profiles(account_id)
        shown = [selected(request, _shown(user, profiles)) for user in await agents.list_users(account_id)]
        return answer(shown, headers=revised(await agents.revision(account_id)))

    async def get_user(request: web.Request) -> web.Response:
        """With a bearer all of it; without one what consumers may see, by PId only."""
        if "Authorization" not in request.headers:
            return await _public_profile(request, agents)
        await brand_principal(request)
        user = await agents.get_agent(account_of(request), request.match_info["user_id"])
        return await shown_user(request, user)

    async def create_user(request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id, body = account_of(request), await read_json(request)
        if isinstance(body, list):
            made = [await _create(agents, account_id, _object(one)) for one in body]
            profiles = await agents.list_profiles(account_id)
            return answer(
                [_shown(user, profiles) for user in made],
                201,
                revised(await agents.revision(account_id)),
            )
        user = await _create(agents, account_id, _object(body), if_match(request))
        return await shown_user(request, user, 201)

    async def update_user(request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id, body = account_of(request), await read_object(request)
        user = await agents.update_user(
            account_id,
            request.match_info["user_id"],
            change_of(body, await agents.list_profiles(account_id)),
            password=text_of(body, "password"),
            if_match=if_match(request),
        )
        return await shown_user(request, user)

    async def delete_user(request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id = account_of(request)
        await agents.delete_user(account_id, request.match_info["user_id"], if_match(request))
        return answer({}, headers=revised(await agents.revision(account_id)))

    async def shown_user(request: web.Request, user: AgentUser, status: int = 200) -> web.Response:
        profiles = await agents.list_profiles(user.account_id)
        shown = selected(request, _shown(user, profiles))
        return answer(shown, status, revised(await agents.revision(user.account_id)))

    async def list_profiles(request: web.Request) -> web.Response:
        await brand_principal(request)
        profiles = await agents.list_profiles(account_of(request))
        return answer([_shown_profile(one) for one in profiles.values()])

    async def set_privileges(request: web.Request) -> web.Response:
        """Ours: `{"privileges": {"SEND_FILES": true}}` switches those and leaves the others."""
        await administrator_principal(request)
        switches = (await read_object(request)).get("privileges")
        if not isinstance(switches, dict) or not switches:
            raise Invalid("privileges is missing")
        wanted = {privilege_of(name): on for name, on in switches.items()}
        for privilege, on in wanted.items():
            profile = await agents.set_privilege(
                account_of(request), request.match_info["name"], privilege, on=on is True
            )
        return answer(_shown_profile(profile))

    base = "/api/account/{account_id}/configuration/le-users"
    return [
        web.get(f"{base}/users", list_users),
        web.post(f"{base}/users", create_user),
        web.get(f"{base}/users/{{user_id}}", get_user),
        web.put(f"{base}/users/{{user_id}}", update_user),
        web.delete(f"{base}/users/{{user_id}}", delete_user),
        web.get(f"{base}/profiles", list_profiles),
        web.put(f"{base}/profiles/{{name}}", set_privileges),
    ]


def selected(request: web.Request, shown: dict[str, Any]) -> dict[str, Any]:
    """The members that `select` names; `$all`, or nothing we know, is all of them.

    COMPAT: an old SDK sends a stray quote after `$all`.
    """
    names = {name.strip(" \"'") for name in request.query.get("select", "$all").split(",")}
    kept = {name: value for name, value in shown.items() if name in names}
    return kept or shown


def privilege_of(name: str) -> Privilege:
    """A privilege by its name or number. Raises Invalid."""
    try:
        return Privilege(int(name)) if name.isdecimal() else Privilege[name.upper()]
    except (KeyError, ValueError):
        raise Invalid(f"No privilege {name!r}; there are {', '.join(p.name for p in Privilege)}") from None


async def _public_profile(request: web.Request, agents: Agents) -> web.Response:
    pid = request.match_info["user_id"]
    if not _UUID.fullmatch(pid):  # user ids are short enough to be guessed one by one
        raise AgentUnknown
    user = await agents.get_agent(account_of(request), pid.lower())
    body = {
        "pictureUrl": user.picture_url,
        "employeeId": user.employee_id,
        "nickname": user.nickname,
        "fullName": user.full_name,
    }
    if "cb" in request.query:
        return script(request.query["cb"], body)
    return answer(body)


async def _create(
    agents: Agents, account_id: AccountId, body: dict[str, Any], revision: int = ANY_REVISION
) -> AgentUser:
    profiles = await agents.list_profiles(account_id)
    change = change_of(body, profiles)
    profile = change.profile if isinstance(change.profile, str) else "agent"
    return await agents.create_user(
        account_id,
        needed_text_of(body, "loginName"),
        needed_text_of(body, "password"),
        profile,
        change,
        revision,
    )


def change_of(body: dict[str, Any], profiles: dict[str, Profile]) -> AgentChange:
    """What a user's JSON asks to set. Raises Invalid."""
    given: dict[str, Any] = {ours: body[theirs] for theirs, ours in _FIELDS.items() if theirs in body}
    if "skillIds" in body:
        ids = body["skillIds"] if isinstance(body["skillIds"], list) else []
        given["skills"] = tuple(SkillId(str(one)) for one in ids)
    if "userTypeId" in body:
        given["is_bot"] = body["userTypeId"] in {BOT, str(BOT)}
    if (profile := _profile_in(body, profiles)) is not None:
        given["profile"] = profile
    if "grantedPrivileges" in body:
        granted = _list(body["grantedPrivileges"])
        given["granted"] = frozenset(privilege_of(str(one)) for one in granted)
    try:
        return msgspec.convert(given, AgentChange, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"User not understood: {error}") from None


def _profile_in(body: dict[str, Any], profiles: dict[str, Profile]) -> str | None:
    """The first profile named, by `profileIds` or by `profiles` with ids or names."""
    by_id = {profile.id: profile.name for profile in profiles.values()}
    for one in [*_list(body.get("profileIds")), *_list(body.get("profiles")), body.get("profile")]:
        wanted = one.get("id", one.get("name")) if isinstance(one, dict) else one
        if isinstance(wanted, str):
            return by_id.get(int(wanted), wanted) if wanted.isdecimal() else wanted.lower()
        if isinstance(wanted, int):
            return by_id.get(wanted, str(wanted))
    return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("A user must be a JSON object")
    return value


def _shown(user: AgentUser, profiles: dict[str, Profile]) -> dict[str, Any]:
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


def _shown_profile(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id,
        "name": profile.name,
        "deleted": False,
        "maxChats": profile.max_conversations,
        "permissions": [privilege.name for privilege in sorted(profile.privileges)],
    }
