"""Users over HTTP, and what the public may see of them. Source: docs/protocol.md 10.3."""

import re
from typing import Any

from aiohttp import web

from talkwire.accounts.model import ANY_REVISION
from talkwire.httpapi.authorization import account_of, administrator_principal, brand_principal
from talkwire.httpapi.bodies import (
    answer,
    needed_text_of,
    read_json,
    read_object,
    script,
    selected,
    text_of,
)
from talkwire.httpapi.configuration import if_match, revised
from talkwire.httpapi.user_json import change_of, privilege_of, public_user, shown_profile, shown_user
from talkwire.identity.agents import Agents
from talkwire.identity.errors import AgentUnknown
from talkwire.identity.users import AgentUser
from talkwire.kernel.errors import Invalid
from talkwire.kernel.ids import AccountId

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def routes(agents: Agents) -> list[web.RouteDef]:
    users, profiles = _Users(agents), _Profiles(agents)
    base = "/api/account/{account_id}/configuration/le-users"
    return [
        web.get(f"{base}/users", users.list_all),
        web.post(f"{base}/users", users.create),
        web.get(f"{base}/users/{{user_id}}", users.get),
        web.put(f"{base}/users/{{user_id}}", users.update),
        web.delete(f"{base}/users/{{user_id}}", users.delete),
        web.get(f"{base}/profiles", profiles.list_all),
        web.put(f"{base}/profiles/{{name}}", profiles.switch),
    ]


class _Users:
    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def list_all(self, request: web.Request) -> web.Response:
        await brand_principal(request)
        return await self._many(request, await self._agents.list_users(account_of(request)))

    async def get(self, request: web.Request) -> web.Response:
        """With a bearer all of it; without one what consumers may see, by PId only."""
        if "Authorization" not in request.headers:
            return await self._public(request)
        await brand_principal(request)
        user = await self._agents.get_agent(account_of(request), request.match_info["user_id"])
        return await self._one(request, user)

    async def create(self, request: web.Request) -> web.Response:
        """One user, or a list of them."""
        await administrator_principal(request)
        account_id, body = account_of(request), await read_json(request)
        if isinstance(body, list):
            made = [await self._make(account_id, one, ANY_REVISION) for one in body]
            return await self._many(request, made, 201)
        return await self._one(request, await self._make(account_id, body, if_match(request)), 201)

    async def update(self, request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id, body = account_of(request), await read_object(request)
        user = await self._agents.update_user(
            account_id,
            request.match_info["user_id"],
            change_of(body, await self._agents.list_profiles(account_id)),
            password=text_of(body, "password"),
            if_match=if_match(request),
        )
        return await self._one(request, user)

    async def delete(self, request: web.Request) -> web.Response:
        await administrator_principal(request)
        account_id = account_of(request)
        await self._agents.delete_user(account_id, request.match_info["user_id"], if_match(request))
        return answer({}, headers=revised(await self._agents.revision(account_id)))

    async def _public(self, request: web.Request) -> web.Response:
        pid = request.match_info["user_id"]
        if not _UUID.fullmatch(pid):  # user ids are short enough to be guessed one by one
            raise AgentUnknown
        body = public_user(await self._agents.get_agent(account_of(request), pid.lower()))
        return script(request.query["cb"], body) if "cb" in request.query else answer(body)

    async def _make(self, account_id: AccountId, body: Any, revision: int) -> AgentUser:
        if not isinstance(body, dict):
            raise Invalid("A user must be a JSON object")
        change = change_of(body, await self._agents.list_profiles(account_id))
        profile = change.profile if isinstance(change.profile, str) else "agent"
        name, password = needed_text_of(body, "loginName"), needed_text_of(body, "password")
        return await self._agents.create_user(account_id, name, password, profile, change, revision)

    async def _one(self, request: web.Request, user: AgentUser, status: int = 200) -> web.Response:
        profiles = await self._agents.list_profiles(user.account_id)
        shown = selected(request, shown_user(user, profiles))
        return answer(shown, status, revised(await self._agents.revision(user.account_id)))

    async def _many(self, request: web.Request, users: list[AgentUser], status: int = 200) -> web.Response:
        account_id = account_of(request)
        profiles = await self._agents.list_profiles(account_id)
        shown = [selected(request, shown_user(user, profiles)) for user in users]
        return answer(shown, status, revised(await self._agents.revision(account_id)))


class _Profiles:
    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def list_all(self, request: web.Request) -> web.Response:
        await brand_principal(request)
        profiles = await self._agents.list_profiles(account_of(request))
        return answer([shown_profile(one) for one in profiles.values()])

    async def switch(self, request: web.Request) -> web.Response:
        """Ours: `{"privileges": {"SEND_FILES": true}}` switches those and leaves the others."""
        await administrator_principal(request)
        switches = (await read_object(request)).get("privileges")
        if not isinstance(switches, dict) or not switches:
            raise Invalid("privileges is missing")
        wanted = {privilege_of(name): on for name, on in switches.items()}
        for privilege, on in wanted.items():
            profile = await self._agents.set_privilege(
                account_of(request), request.match_info["name"], privilege, on=on is True
            )
        return answer(shown_profile(profile))
