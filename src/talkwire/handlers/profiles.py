"""Requests about user profiles. Source: docs/protocol.md 5.9."""

from typing import Any

import msgspec

from talkwire.handlers.call import Call
from talkwire.handlers.services import Services
from talkwire.identity.model import Principal
from talkwire.kernel.errors import NotFound
from talkwire.kernel.ids import ParticipantId
from talkwire.protocol.codec import check_depth
from talkwire.protocol.identity import SetUserProfile, UserId

SET_TEXT = "OK User Profile set successfully"


async def set_profile(services: Services, call: Call, body: SetUserProfile) -> str:
    """Answer `userprofile.SetUserProfile`: always one's own, whatever id the body names."""
    profile = {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}
    check_depth(profile)
    profile.pop("userId", None)
    await services.consumers.profiles.set_profile(call.who, call.who.id, profile)
    return SET_TEXT


async def get_profile(services: Services, call: Call, body: str | UserId) -> Any:
    """Answer `userprofile.GetUserProfile`: an object on v2, the SDE items on v3."""
    wanted = body if isinstance(body, str) else body.user_id
    profile = await _profile(services, call.who, wanted or "")
    if not call.dialect.is_v3 or not wanted:
        return profile
    return _sde_items(profile)


async def _profile(services: Services, who: Principal, wanted: str) -> dict[str, Any]:
    if not wanted or wanted in (who.id, who.old_id):
        return await _own_profile(services, who)
    if who.is_consumer:
        raise NotFound("No such user")
    found = await services.consumers.profiles.get_profile(who.account_id, ParticipantId(wanted))
    if found is not None:
        return {"userId": wanted, **found}
    if await services.conversations.knows_consumer(who, ParticipantId(wanted)):
        return {"userId": wanted}
    agent = await services.agents.find_agent(who.account_id, wanted)
    if agent is None:
        raise NotFound("No such user")
    return {"userId": agent.old_id, "nickName": agent.nickname, "firstName": agent.full_name}


async def _own_profile(services: Services, who: Principal) -> dict[str, Any]:
    if not who.is_consumer:
        return {"userId": who.old_id}
    found = await services.consumers.profiles.get_profile(who.account_id, who.id)
    return {"userId": who.id, **(found or {})}


def _sde_items(profile: dict[str, Any]) -> list[Any]:
    items: list[Any] = []
    for part in ("authenticatedData", "claims"):
        found = profile.get(part)
        if isinstance(found, dict) and isinstance(found.get("lp_sdes"), list):
            items += found["lp_sdes"]
    return items
